"""Server-sent events, each on its way as soon as the app has written it."""

import time

from stand import Row, at_most, origin, proxy
from wire import Connection

EVENTS = 120
EVERY = 0.25
ROUTE = '[[route]]\npath = "/events"\nttl = "1h"\n'


def rows(_):
    for name, config, count in (("no route", "", EVENTS), ("a route", ROUTE, EVENTS // 6)):
        with origin() as server, proxy(server.port, config) as aside, Connection(aside.port) as connection:
            connection.send(f"GET /events?count={count}&every={EVERY} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            connection.head()
            delays = []
            while size := int(connection.line(), 16):
                event = connection.exactly(size + 2)
                for line in event.split(b"\n\n"):
                    if line.startswith(b"data: "):
                        delays.append(time.monotonic() - float(line[6:]))
            yield Row(f"server-sent events, {name}", f"{len(delays)} of {count}", "all", len(delays) == count)
            yield at_most(f"server-sent events, {name}: longest on the way", max(delays, default=99.0) * 1000, 250, "ms")
