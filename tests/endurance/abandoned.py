"""Fills whose clients left: the next honest client is answered at once."""

import socket
import time

from stand import Row, at_most, get, origin, proxy

FILLS = 5_000
# So many clients are there at once.
WAVE = 250
ROUTE = '[[route]]\npath = "/slow/{name}"\nttl = "1h"\n'


def leave(port: int) -> None:
    """Thousands ask for what takes a minute, each for something else, and leave."""
    for wave in range(0, FILLS, WAVE):
        clients = []
        for number in range(wave, wave + WAVE):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(f"GET /slow/{number}?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            clients.append(client)
        time.sleep(0.2)
        for client in clients:
            client.close()


def rows(_):
    for name, config in (("no route", ""), ("a route", ROUTE)):
        with origin() as server, proxy(server.port, config) as aside:
            leave(aside.port)
            times, good = [], 0
            for number in range(5):
                begun = time.monotonic()
                good += get(aside.port, f"/small?{number}").status == 200
                times.append(time.monotonic() - begun)
            what = f"after {FILLS} fills whose clients left, {name}"
            yield Row(f"{what}: honest clients answered", f"{good} of 5", "all", good == 5)
            yield at_most(f"{what}: the first one after", times[0] * 1000, 500, "ms")
