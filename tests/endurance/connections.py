"""Many connections: idle ones cost little, and a shortage of file descriptors costs answers, never the process."""

import socket
import time

from stand import Others, Row, at_most, get, origin, proxy
from wire import Connection

IDLE = 10_000
FILES = 256
CROWD = 1_000
REQUEST = b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n"


def idle(port: int):
    with proxy(port, '[[route]]\npath = "/small"\nttl = "1h"\n', f'connections = {IDLE + 500}\nheader_timeout = "5m"') as aside:
        for _ in range(100):
            get(aside.port)
        before, open_connections = aside.memory(), []
        for number in range(IDLE):
            client = socket.socket()
            client.bind((f"127.0.0.{2 + number % 4}", 0))
            client.connect(("127.0.0.1", aside.port))
            client.sendall(REQUEST)
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
            open_connections.append(client)
        each = (aside.memory() - before) * 1024 * 1024 / IDLE / 1000
        others = Others(aside.port)
        others.ask_for(2)
        yield at_most(f"{IDLE} idle connections, each after one answer: memory each", each, 15, "kB")
        yield others.row(f"other clients beside {IDLE} idle connections")
        alive = 0
        for client in open_connections[:: IDLE // 100]:
            client.sendall(REQUEST)
            alive += client.recv(4096).startswith(b"HTTP/1.1 200")
        yield Row("a hundred of them asked again", f"{alive} answered", "100", alive == 100)
        for client in open_connections:
            client.close()


def shortage(port: int):
    with proxy(port, files=FILES) as aside:
        clients = []
        for _ in range(CROWD):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", aside.port))
            clients.append(client)
        time.sleep(1)
        for client in clients:
            try:
                client.send(REQUEST)
            except OSError:
                pass
        time.sleep(4)
        answers = [first_bytes(client) for client in clients]
        good = sum(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        other = sum(answer.startswith(b"HTTP/1.1 5") for answer in answers)
        alive = aside.is_alive()
        told = f"{good} got 200, {other} 5xx, {CROWD - good - other} wait"
        yield Row(f"{CROWD} clients on {FILES} file descriptors", told, "some served, no 5xx", alive and good > 0 and not other)
        for client in clients:
            client.close()
        begun = time.monotonic()
        others = Others(aside.port)
        while alive and not others.ask() and time.monotonic() - begun < 30:
            time.sleep(0.1)
        yield at_most("then they leave: time until the next is served", time.monotonic() - begun, 5, "s")
        others = Others(aside.port)
        others.ask_for(2)
        yield others.row("and all who come after")


def first_bytes(client: socket.socket) -> bytes:
    try:
        return client.recv(64)
    except OSError:
        return b""


def rows(_):
    with origin() as server:
        yield from idle(server.port)
        yield from shortage(server.port)
