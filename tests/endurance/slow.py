"""Slow clients in front of an app that has two synchronous workers."""

import asyncio
import threading
import time

from stand import Others, Row, gunicorn, proxy

WRITERS = 100
SECONDS = 15


async def write_slowly(port: int, size: int, at_once: int, seconds: float) -> None:
    """Sends a POST's head, so many bytes of its body at once, and one more each second."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST /mirror HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(at_once))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(1)
        writer.close()
    except OSError:
        pass


def slow_writers(port: int, count: int, size: int, at_once: int, seconds: float) -> threading.Thread:
    async def all_of_them() -> None:
        await asyncio.gather(*(write_slowly(port, size, at_once, seconds) for _ in range(count)))

    thread = threading.Thread(target=lambda: asyncio.run(all_of_them()))
    thread.start()
    time.sleep(1)
    return thread


def beside(port: int, count: int, size: int, at_once: int, seconds: float) -> Others:
    """How other clients fare while so many write slowly."""
    thread = slow_writers(port, count, size, at_once, seconds)
    others = Others(port, "/any/other", patience=2)
    others.ask_for(seconds - 3)
    thread.join()
    return others


def rows(options):
    with gunicorn(options.gunicorn) as app:
        others = beside(app.port, WRITERS, 1000, 0, 8)
        answered = len(others.times) - others.failures
        yield Row(f"for comparison, no aside: others beside {WRITERS} slow writers", f"{answered} of {len(others.times)}", "", None)
    with gunicorn(options.gunicorn) as app, proxy(app.port) as aside:
        others = beside(aside.port, WRITERS, 1000, 0, SECONDS)
        yield others.row(f"others beside {WRITERS} writers of 1 byte/s, small bodies")
    with gunicorn(options.gunicorn) as app, proxy(app.port) as aside:
        yield from large_uploads(aside.port)


def large_uploads(port: int):
    """Large bodies stream, so slow ones do hold workers; for how long is what counts."""
    thread = slow_writers(port, 10, 1 << 20, 100_000, 45)
    others, silence, longest, last = Others(port, "/any/other", patience=2), 0.0, 0.0, time.monotonic()
    end = last + 40
    while time.monotonic() < end:
        if others.ask():
            last = time.monotonic()
        silence = time.monotonic() - last
        longest = max(longest, silence)
        time.sleep(0.1)
    thread.join()
    answered = len(others.times) - others.failures
    told = f"{answered} of {len(others.times)}, longest gap {longest:.1f} s"
    yield Row("others beside 10 large uploads of 1 byte/s", told, "gap <= 35 s", longest <= 35)
    others = Others(port, "/any/other")
    others.ask_for(2)
    yield others.row("and afterwards")
