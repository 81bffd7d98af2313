"""Stopping under load: whoever has asked, or is connected, when the signal comes gets an answer."""

import asyncio
import time
from dataclasses import dataclass

from stand import Row, at_most, origin, proxy

# How many clients keep a connection, and how long each waits between an answer and its next request, in seconds.
KEEPERS = 96
PAUSES = (0.003, 0.03, 0.3)
# How many make a connection for each request.
COMERS = 32
PATIENCE = 15.0
REQUEST = b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Tally:
    """What clients met with."""

    answered: int = 0
    cut: int = 0
    told: int = 0


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """One request and its answer; whether that is the connection's last."""
    writer.write(REQUEST)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return b"\r\nconnection: close\r\n" in head


async def keeper(port: int, pause: float, tally: Tally) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        last = False
        while not last and not reader.at_eof():
            last = await asyncio.wait_for(exchange(reader, writer), PATIENCE)
            tally.answered += 1
            tally.told += last
            if not last:
                await asyncio.sleep(pause)
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        tally.cut += 1
    finally:
        writer.close()


async def comer(port: int, tally: Tally) -> None:
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        try:
            await asyncio.wait_for(exchange(reader, writer), PATIENCE)
            tally.answered += 1
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            tally.cut += 1
        finally:
            writer.close()


async def under_load(aside, clients) -> float:
    """Stops the server among these clients; how long it took, in seconds."""
    tasks = [asyncio.create_task(client) for client in clients]
    await asyncio.sleep(1.5)
    begun = time.monotonic()
    aside.popen.terminate()
    await asyncio.to_thread(aside.popen.wait, PATIENCE)
    took = time.monotonic() - begun
    await asyncio.gather(*tasks)
    return took


def rows(_options):
    with origin() as behind, proxy(behind.port, '[[route]]\npath = "/small"\nttl = "1h"\n') as aside:
        tally = Tally()
        clients = [keeper(aside.port, PAUSES[number % len(PAUSES)], tally) for number in range(KEEPERS)]
        took = asyncio.run(under_load(aside, clients))
        what = f"SIGTERM among {KEEPERS} clients that keep their connections: without an answer"
        yield Row(what, f"{tally.cut} of {tally.answered + tally.cut}", "0", tally.cut == 0)
        yield Row("who was told by the last answer", f"{tally.told} clients", f"{KEEPERS}", tally.told == KEEPERS)
        yield at_most("until the process had ended", took, 3, "s")
        yield Row("exit code", str(aside.popen.returncode), "0", aside.popen.returncode == 0)
    with origin() as behind, proxy(behind.port, '[[route]]\npath = "/small"\nttl = "1h"\n') as aside:
        tally = Tally()
        asyncio.run(under_load(aside, [comer(aside.port, tally) for _ in range(COMERS)]))
        what = f"SIGTERM among {COMERS} clients that connect for each request: without an answer"
        yield Row(what, f"{tally.cut} of {tally.answered + tally.cut}", "0", tally.cut == 0)
