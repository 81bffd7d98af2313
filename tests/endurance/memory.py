"""Memory that must not grow with what passes through: bodies that nobody reads, and transfers of 500 MB."""

import socket
import time

from stand import MIB, Row, at_most, get, origin, proxy
from wire import Connection

CLIENTS = 20
UNREAD = 200 * MIB
TRANSFER = 500 * MIB
ROUTE = '[[route]]\npath = "/big/{name}"\nttl = "1h"\n'


def leave_unread(port: int, targets: list[str]) -> list[socket.socket]:
    """Clients that ask and then read nothing."""
    clients = []
    for target in targets:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        client.connect(("127.0.0.1", port))
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        clients.append(client)
    return clients


def unread(port: int):
    plain, chunked = f"bytes={UNREAD}", f"bytes={UNREAD}&chunked=1"
    for name, config, target in (
        ("past the cache", "[unrouted]\ncache = false\n", f"/big/%d?{plain}"),
        ("of a route, with a length", ROUTE, f"/big/%d?{plain}"),
        ("of a route, chunked", ROUTE, f"/big/%d?{chunked}"),
        ("of one key, chunked", ROUTE, f"/big/one?{chunked}"),
    ):
        with proxy(port, config) as aside:
            get(aside.port)
            before = aside.memory()
            clients = leave_unread(aside.port, [target.replace("%d", str(number)) for number in range(CLIENTS)])
            time.sleep(4)
            grown = aside.memory("VmHWM") - before
            get(aside.port)
            for client in clients:
                client.close()
        yield at_most(f"{CLIENTS} clients leave 200 MB bodies unread, {name}: growth", grown, 64, "MiB")


def transfers(port: int):
    for name, target in (("a length", f"/big/x?bytes={TRANSFER}"), ("chunks", f"/big/x?bytes={TRANSFER}&chunked=1")):
        with proxy(port) as aside:
            before, begun = aside.memory(), time.monotonic()
            received = download(aside.port, target)
            seconds, grown = time.monotonic() - begun, aside.memory("VmHWM") - before
            yield whole(f"500 MB download with {name}", received, seconds)
            yield at_most(f"500 MB download with {name}: growth", grown, 16, "MiB")
    for chunked in (False, True):
        name = "chunks" if chunked else "a length"
        with proxy(port) as aside:
            before, begun = aside.memory(), time.monotonic()
            arrived = upload(aside.port, chunked)
            seconds, grown = time.monotonic() - begun, aside.memory("VmHWM") - before
            yield whole(f"500 MB upload with {name}", arrived, seconds)
            yield at_most(f"500 MB upload with {name}: growth", grown, 16, "MiB")


def whole(what: str, size: int, seconds: float) -> Row:
    return Row(what, f"{size / MIB:.0f} MiB in {seconds:.1f} s", "all of it", size == TRANSFER)


def download(port: int, target: str) -> int:
    """How many bytes of body came; they are not kept."""
    with Connection(port) as connection:
        connection.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = connection.head()
        total = 0
        if answer.values(b"content-length"):
            while total < TRANSFER:
                total += take(connection, TRANSFER - total)
            return total
        while size := int(connection.line(), 16):
            missing = size + 2
            while missing:
                missing -= take(connection, missing)
            total += size
        return total


def take(connection: Connection, size: int) -> int:
    """Up to this many bytes off a connection, and how many there were."""
    if not connection.read:
        connection.more()
    taken = min(size, len(connection.read))
    connection.read = connection.read[taken:]
    return taken


def upload(port: int, chunked: bool) -> int:
    """How many bytes the origin says that it got."""
    piece = bytes(MIB)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {TRANSFER}"
    with Connection(port) as connection:
        connection.send(f"POST /upload HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode())
        for _ in range(TRANSFER // MIB):
            connection.send(b"%x\r\n%s\r\n" % (MIB, piece) if chunked else piece)
        if chunked:
            connection.send(b"0\r\n\r\n")
        return int(connection.answer().body.split(b":")[1].strip(b" }\n"))


def rows(_):
    with origin() as server:
        yield from unread(server.port)
        yield from transfers(server.port)
