"""A log that troubles do not flood: a line when one begins and a line when it ends, however many requests meet it."""

import http.client
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from stand import Process, Row, free_port, origin, proxy

WRITERS = 8
SECONDS = 3.0
ROUTE = '[[route]]\npath = "/small"\nttl = "10m"\n'


@contextmanager
def redis(port: int, folder: str, *options: str):
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", *options]
    process = Process(command, port, Path(folder) / "redis.log", cwd=Path(folder))
    try:
        yield process
    finally:
        process.stop()


def write(port: int, keep_alive: bool) -> int:
    """Writes of several clients at once for a while; how many were answered."""
    answered, end = [0] * WRITERS, time.monotonic() + SECONDS

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while time.monotonic() < end:
            connection.request("PUT", "/small", b"{}", {"Content-Type": "application/json"})
            answered[number] += connection.getresponse().read() is not None
            if not keep_alive:
                connection.close()
        connection.close()

    clients = [threading.Thread(target=client, args=(number,)) for number in range(WRITERS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return sum(answered)


def few(what: str, writes: int, log: Path) -> Row:
    lines = log.read_text().splitlines()
    return Row(f"{what}: lines", f"{len(lines)} for {writes} writes", "<= 12", writes > 100 and len(lines) <= 12)


def rows(_):
    with tempfile.TemporaryDirectory() as folder, origin() as server:
        port = free_port()
        config = f'{ROUTE}[store]\nurl = "redis://127.0.0.1:{port}"\n'
        with proxy(server.port, config) as aside:
            with redis(port, folder):
                time.sleep(1.5)
            writes = write(aside.port, True)
            with redis(port, folder):
                time.sleep(3)
                yield few("writes while Redis is away, and its return", writes, aside.log)
        with redis(port, folder, "--maxclients", "1"), proxy(server.port, config, "cores = 2") as aside:
            time.sleep(1.5)
            writes = write(aside.port, False)
            yield few("writes while one of two cores has no session with Redis", writes, aside.log)
    nobody = free_port()
    with proxy(nobody, ROUTE) as aside:
        yield few("writes while the API is away", write(aside.port, True), aside.log)
