"""Many clients at once, each on a connection of its own, in one thread."""

import asyncio
import time
from dataclasses import dataclass


@dataclass
class Got:
    """What one client got, in seconds after it asked; `status` is 0 where no answer came."""

    status: int = 0
    first: float = 99.0
    whole: float = 99.0


async def one(port: int, target: str, after: float, all_have_begun: asyncio.Barrier | None) -> Got:
    await asyncio.sleep(after)
    got, reader, writer = Got(), *await asyncio.open_connection("127.0.0.1", port)
    begun = time.monotonic()
    try:
        writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1)
        got.status, got.first = int(head.split(b" ")[1]), time.monotonic() - begun
        if all_have_begun:
            await all_have_begun.wait()
        while not all_have_begun and await reader.read(1 << 16):
            pass
        got.whole = time.monotonic() - begun
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()
    return got


def crowd(port: int, targets: list[str], every: float = 0.0, only_first: bool = False) -> list[Got]:
    """A client for each of these, each so many seconds after the one before; where wanted, each leaves with all of them
    once all have their first byte."""

    async def run() -> list[Got]:
        all_have_begun = asyncio.Barrier(len(targets)) if only_first else None
        asking = (one(port, target, number * every, all_have_begun) for number, target in enumerate(targets))
        return await asyncio.wait_for(asyncio.gather(*asking), 120)

    return asyncio.run(run())
