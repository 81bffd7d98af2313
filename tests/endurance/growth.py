"""What a store in memory makes the process grow by, whatever is put into it: at most half as much again as it may hold."""

import re
import sys
from contextlib import contextmanager

from stand import HERE, Process, at_most, proxy, stopped
from wire import Connection

# Growth over `memory`: what the allocator holds in reserve and what requests under way have.
TIMES = 1.5
# What a process of two cores comes to have besides its store: buffers of connections, the marks of 10,000 writes.
BESIDES = 8
ROUTE = '[[route]]\npath = "/{*rest}"\nttl = "1h"\n'
ANNOTATED = ROUTE + 'annotate = { field = "from_cache", hit = true, miss = false }\n'
NARROW = '[[route]]\npath = "/small/{size}/{id}"\nttl = "1h"\ninvalidated_by = ["PUT /small/{size}/{id}"]\n'
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


def ask(port: int, requests, at_once: int = 32, connections: int = 4) -> int:
    """Sends all of them over a few connections, some at once on each, and reads the answers; how many were hits."""
    requests, hits = iter(requests), 0
    clients = [Connection(port) for _ in range(connections)]
    while True:
        sent = [(client, send(client, requests, at_once)) for client in clients]
        if not any(count for _, count in sent):
            break
        for client, count in sent:
            hits += sum(take(client) for _ in range(count))
    for client in clients:
        client.socket.close()
    return hits


def send(client: Connection, requests, at_once: int) -> int:
    lines = [request for _, request in zip(range(at_once), requests)]
    client.send(b"".join(lines))
    return len(lines)


def take(client: Connection) -> bool:
    """Reads one answer; whether it was a hit."""
    while (end := client.read.find(b"\r\n\r\n")) < 0:
        client.more()
    head = client.read[:end]
    length = LENGTH.search(head)
    whole = end + 4 + (int(length[1]) if length else 0)
    # Put together once: a body of 1 MB comes in many pieces.
    pieces = [client.read]
    there = len(client.read)
    while there < whole:
        pieces.append(client.socket.recv(1 << 20))
        if not pieces[-1]:
            sys.exit("an answer was cut off")
        there += len(pieces[-1])
    client.read = b"".join(pieces)[whole:]
    return b"\r\nx-cache: HIT" in head


def get(target: str, fields: str = "", host: str = "a") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode()


def put(target: str) -> bytes:
    return f"PUT {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode()


def twice(requests):
    for request in requests:
        yield request
        yield request


def small(count: int):
    return (get(f"/small/50/{n}") for n in range(count))


def replaced(n: int) -> bytes:
    return get(f"/small/1000000/{n % 100}") if n % 20 else put("/anything")


def coded(n: int, coding: str) -> bytes:
    return get(f"/json/6000/{n}", f"Accept-Encoding: {coding}\r\n")


# What is asked, under which routes, of a store of how many MiB.
KINDS = [
    ("60,000 bodies of 50 bytes, 8 MiB", ROUTE, 8, lambda: small(60_000)),
    ("60,000 bodies of 50 bytes, each asked for twice", ROUTE, 64, lambda: twice(small(60_000))),
    ("240,000 bodies of 50 bytes", ROUTE, 64, lambda: small(240_000)),
    ("200,000 bodies of 50 bytes, 256 MiB", ROUTE, 256, lambda: small(200_000)),
    ("60,000 bodies of 1.5 kB", ROUTE, 64, lambda: (get(f"/usual/1500/{n}") for n in range(60_000))),
    ("the same without a route", "", 64, lambda: (get(f"/usual/1500/{n}") for n in range(60_000))),
    ("keys of 7 kB", ROUTE, 64, lambda: (get(f"/small/50/{n}?{'q' * 7000}") for n in range(20_000))),
    ("80 fields", ROUTE, 64, lambda: (get(f"/fields/50/{n}") for n in range(15_000))),
    ("100 tags", ROUTE, 64, lambda: (get(f"/tags/50/{n}") for n in range(15_000))),
    ("60,000 values of Accept", ROUTE, 64, lambda: (get("/small/50/1", f"Accept: a/{n}\r\n") for n in range(60_000))),
    (
        "32 variants each of 2,000 URLs without a route",
        "",
        64,
        lambda: (get(f"/vary/50/{n // 32}", f"X-Variant: {n}\r\n") for n in range(64_000)),
    ),
    ("60,000 hosts without a route", "", 64, lambda: (get("/small/50/1", host=f"h{n}") for n in range(60_000))),
    ("annotated bodies of 60 kB, each hit", ANNOTATED, 64, lambda: twice(get(f"/json/60000/{n}") for n in range(4000))),
    ("800 annotated bodies of 60 kB, again and again", ANNOTATED, 64, lambda: (get(f"/json/60000/{n % 800}") for n in range(4000))),
    ("bodies of 1 MB, made old by every twentieth request", ROUTE, 64, lambda: map(replaced, range(4000))),
    (
        "bodies of 5 bytes to 500 kB",
        ROUTE,
        64,
        lambda: (get(f"/small/{int(100 * 5000 ** (n * 0.618 % 1))}/{n}") for n in range(20_000)),
    ),
    (
        "40,000 writes, each to a name of 200 bytes",
        NARROW,
        64,
        lambda: (put(f"/small/50/{n}{'q' * 200}") for n in range(40_000)),
    ),
    (
        "60,000 entries, each made old and fetched again",
        NARROW,
        64,
        lambda: (
            request
            for n in range(60_000)
            for request in (get(f"/small/50/{n % 20_000}"), put(f"/small/50/{n % 20_000}"), get(f"/small/50/{n % 20_000}"))
        ),
    ),
]


@contextmanager
def origin():
    with stopped(
        lambda folder, port: Process([sys.executable, str(HERE / "growth_origin.py"), str(port)], port, folder / "log")
    ) as process:
        yield process


def grown(origin_port: int, config: str, requests) -> float:
    with proxy(origin_port, config) as aside:
        ask(aside.port, [get("/small/50/first")] * 8)
        before = aside.memory()
        ask(aside.port, requests)
        return aside.memory() - before


def rows(_):
    with origin() as server:
        for name, routes, memory, requests in KINDS:
            config = f'[store]\nurl = "memory://"\nmemory = "{memory}MiB"\n{routes}'
            growth = grown(server.port, config, requests())
            yield at_most(f"a store of {memory} MiB, {name}: growth", growth, TIMES * memory + BESIDES, "MiB")
        # Coded copies have a bound of their own.
        requests = (coded(n, coding) for n in range(15_000) for coding in ("gzip", "br", "zstd", "gzip"))
        config = f'[store]\nurl = "memory://"\nmemory = "16MiB"\n[clients]\ncompression_memory = "48MiB"\n{ROUTE}'
        growth = grown(server.port, config, requests)
        yield at_most("stores of 16 MiB and 48 MiB, three coded copies each: growth", growth, TIMES * 64 + BESIDES, "MiB")
