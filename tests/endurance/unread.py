"""Answers that nobody reads, each of which the store would hold: over HTTP/2 with closed windows, over HTTP/1.1, slowly."""

import asyncio
import socket
import struct
import time

from stand import MIB, Others, at_most, origin, proxy

CONNECTIONS = 10
STREAMS = 100
SIZE = 1_000_000
# Of the store, of coded copies, and of answers on their way, as without a line about them; and half as much for what the
# allocator loses, and for what connections have besides.
BOUND = (64 + 32 + 64) * 1.5
# What a connection from the client and one to the origin hold while an answer comes, or waits for room.
EACH = 0.1
HTTP2 = '[clients]\nhttp2 = "always"\n'
ROUTE = '[[route]]\npath = "/{*rest}"\nttl = "1h"\n'
ANNOTATED = ROUTE + 'annotate = { field = "cached", hit = true, miss = false }\n'
PASSED = "[unrouted]\ncache = false\n"
SETTINGS, HEADERS, END_OF_BOTH = 4, 1, 5


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A field in as many words (RFC 7541 section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def ask_unread(port: int, targets: list[str], coding: str) -> socket.socket:
    """Asks for all of these on one connection and opens no window for the bodies."""
    client = socket.create_connection(("127.0.0.1", port))
    sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    for number, target in enumerate(targets):
        fields = literal(b":method", b"GET") + literal(b":scheme", b"http") + literal(b":authority", b"x")
        fields += literal(b":path", target.encode()) + literal(b"accept-encoding", coding.encode())
        sent += frame(HEADERS, END_OF_BOTH, 2 * number + 1, fields)
    client.sendall(sent)
    return client


def closed_windows(name: str, config: str, target: str, coding: str = "identity", others_on: str = "/small"):
    with origin() as server, proxy(server.port, config + HTTP2) as aside:
        others = Others(aside.port, others_on)
        others.ask()
        before = aside.memory()
        clients = []
        for number in range(CONNECTIONS):
            targets = [target % (number * STREAMS + stream) for stream in range(STREAMS)]
            clients.append(ask_unread(aside.port, targets, coding))
        others.ask_for(12)
        grown = aside.memory("VmHWM") - before
        for client in clients:
            client.close()
        time.sleep(2)
        others.ask_for(1)
        left = aside.memory() - before
    what = f"{CONNECTIONS} connections of HTTP/2 leave {STREAMS} bodies of 1 MB each unread, {name}"
    yield at_most(f"{what}: growth", grown, BOUND, "MiB")
    yield at_most("  and once they have left", left, BOUND, "MiB")
    yield others.row("  other clients meanwhile")


def unread_http1(port: int, count: int, each: int) -> list[socket.socket]:
    """Clients of HTTP/1.1 that ask for so many answers each, one behind the other, and read none."""
    clients = []
    for number in range(count):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", port))
        asking = (f"GET /big/{number}-{next}?bytes={SIZE} HTTP/1.1\r\nHost: x\r\n\r\n" for next in range(each))
        client.sendall("".join(asking).encode())
        clients.append(client)
    return clients


def http1():
    for count, each in (200, 1), (100, 100):
        with origin() as server, proxy(server.port, ROUTE) as aside:
            others = Others(aside.port)
            others.ask()
            before = aside.memory()
            clients = unread_http1(aside.port, count, each)
            others.ask_for(6)
            grown = aside.memory("VmHWM") - before
            for client in clients:
                client.close()
        yield at_most(f"{count} clients of HTTP/1.1 leave {each} bodies of 1 MB each unread: growth", grown, BOUND, "MiB")
        yield others.row("  other clients meanwhile")


async def read_slowly(port: int, number: int, seconds: float) -> int:
    """Takes ten kilobytes a second; comes back with the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 12)
    writer.write(f"GET /big/{number % 500}?bytes={SIZE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    status = int((await reader.readline()).split(b" ")[1])
    end = time.monotonic() + seconds
    while status == 200 and time.monotonic() < end:
        await reader.read(1 << 10)
        await asyncio.sleep(0.1)
    writer.close()
    return status


def slow_readers():
    async def all_of_them(port: int, others: Others) -> list[int]:
        asking = asyncio.to_thread(others.ask_for, 12)
        return await asyncio.gather(*(read_slowly(port, number, 12) for number in range(1000)), asking)

    with origin() as server, proxy(server.port, ROUTE) as aside:
        others = Others(aside.port)
        others.ask()
        before = aside.memory()
        statuses = asyncio.run(all_of_them(aside.port, others))
        grown = aside.memory("VmHWM") - before
    refused = statuses.count(503)
    yield at_most(f"1000 slow readers of 500 bodies of 1 MB, {refused} of them refused: growth", grown, BOUND + 1000 * EACH, "MiB")
    yield others.row("  other clients meanwhile")


def rows(_):
    big, text = f"/big/%d?bytes={SIZE}", f"/json/%d?bytes={SIZE}"
    yield from closed_windows("of a route", ROUTE, big, others_on=big % 1_000_000)
    yield from closed_windows("of a route, chunked", ROUTE, big + "&chunked=1")
    yield from closed_windows("of one key", ROUTE, text.replace("%d", "one%.0s"))
    yield from closed_windows("annotated", ANNOTATED, text)
    yield from closed_windows("annotated, chunked", ANNOTATED, text + "&chunked=1")
    yield from closed_windows("of one key, annotated", ANNOTATED, text.replace("%d", "one%.0s"))
    yield from closed_windows("in gzip", ROUTE, text, "gzip")
    yield from closed_windows("in br", ROUTE, text, "br")
    yield from closed_windows("past the cache", PASSED, big)
    yield from closed_windows("past the cache, chunked", PASSED, big + "&chunked=1")
    yield from http1()
    yield from slow_readers()
