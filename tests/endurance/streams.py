"""Streams: each event on its way as soon as the app has written it, and each of many clients with a stream of its own."""

import time

from crowd import crowd
from stand import Row, at_most, origin, proxy
from wire import Connection

EVENTS = 120
EVERY = 0.25
ROUTE = '[[route]]\npath = "/events"\nttl = "1h"\n'
STREAMS = '[[route]]\npath = "/stream/{name}"\nttl = "1h"\n'
ANNOTATED = STREAMS + 'annotate = { field = "from_cache", hit = true, miss = false }\n'
TYPES = (
    ("text/event-stream", "chunked"),
    ("application/x-ndjson", "chunked"),
    ("application/json-seq", "chunked"),
    ("multipart/x-mixed-replace;boundary=x", "chunked"),
    ("application/grpc-web", "chunked"),
    ("text/plain", "chunked"),
    ("text/plain", "close"),
    ("application/json", "chunked"),
    ("application/json", "length"),
)


def events():
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


def shared():
    """Each type is asked for by so many clients: all at once, or each while the first one's is under way."""
    for name, config in (("no route", ""), ("a route", STREAMS), ("annotated", ANNOTATED)):
        for clients in (2, 10, 50):
            for way, every in (("at once", 0.0), ("one by one", 0.75 / clients)):
                with origin() as server, proxy(server.port, config) as aside:
                    worst, where = 0.0, ""
                    for number, (media_type, framing) in enumerate(TYPES):
                        target = f"/stream/{number}?type={media_type}&framing={framing}&count=40&every=0.1"
                        slowest = max(got.first for got in crowd(aside.port, [target] * clients, every, only_first=True))
                        if slowest > worst:
                            worst, where = slowest, media_type
                    what = f"{clients} clients on one stream, {way}, {name}: slowest first byte"
                    yield Row(what, f"{worst * 1000:.0f} ms, {where}", "<= 500 ms", worst <= 0.5)


def rows(_):
    yield from events()
    yield from shared()
