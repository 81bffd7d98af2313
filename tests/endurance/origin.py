"""An origin for the endurance checks: bodies of any size, events at a steady pace, streams of any type, answers that take
their time, a count of what it was asked, and a sink for uploads.

    origin.py PORT
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from urllib.parse import parse_qs, urlsplit

PIECE = bytes(range(256)) * 256
# How often each path was asked for.
ASKED: Counter[str] = Counter()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            first, *lines = head[:-4].split(b"\r\n")
            fields = {name.lower(): value.strip() for name, value in (line.split(b":", 1) for line in lines)}
            uploaded = await sink(reader, fields)
            target = urlsplit(first.split(b" ")[1].decode("latin-1"))
            wanted = {name: values[0] for name, values in parse_qs(target.query).items()}
            ASKED[target.path] += 1
            if target.path.startswith("/big"):
                await big(writer, int(wanted["bytes"]), "chunked" in wanted)
            elif target.path.startswith("/json"):
                await text(writer, int(wanted["bytes"]), "chunked" in wanted)
            elif target.path == "/events":
                await events(writer, int(wanted["count"]), float(wanted["every"]))
            elif target.path.startswith("/stream"):
                if await stream(writer, wanted["type"], wanted["framing"], int(wanted["count"]), float(wanted["every"])):
                    return
            elif target.path.startswith("/slow"):
                await asyncio.sleep(float(wanted["seconds"]))
                whole(writer, wanted.get("control", "max-age=600"), b"slow")
            elif target.path == "/asked":
                whole(writer, "no-store", b"%d" % ASKED[wanted["path"]])
            else:
                body = json.dumps({"uploaded": uploaded}).encode() + b"\n"
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def sink(reader: asyncio.StreamReader, fields: dict[bytes, bytes]) -> int:
    if fields.get(b"transfer-encoding") == b"chunked":
        total = 0
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await discard(reader, size + 2)
            total += size
        await reader.readuntil(b"\r\n")
        return total
    length = int(fields.get(b"content-length", 0))
    await discard(reader, length)
    return length


async def discard(reader: asyncio.StreamReader, size: int) -> None:
    while size > 0:
        piece = await reader.read(min(size, 1 << 18))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        size -= len(piece)


async def big(writer: asyncio.StreamWriter, size: int, chunked: bool) -> None:
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n" + framing + b"\r\n\r\n")
    while size > 0:
        piece = PIECE[: min(size, len(PIECE))]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        size -= len(piece)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")


async def text(writer: asyncio.StreamWriter, size: int, chunked: bool) -> None:
    """A JSON object of about this size that a content coding makes no smaller than half of it."""
    body = b'{"data":"' + random.randbytes(size // 2).hex().encode() + b'"}'
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + framing + b"\r\n\r\n")
    writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body)
    await writer.drain()


async def events(writer: asyncio.StreamWriter, count: int, every: float) -> None:
    """Each event has the moment it was written at, by the clock that all processes of a machine share."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(count):
        event = b"data: %.6f\n\n" % time.monotonic()
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
        await asyncio.sleep(every)
    writer.write(b"0\r\n\r\n")


async def stream(writer: asyncio.StreamWriter, media_type: str, framing: str, count: int, every: float) -> bool:
    """So many pieces, one every so many seconds; true where the end is the end of the connection."""
    ends = {"chunked": "Transfer-Encoding: chunked", "length": f"Content-Length: {count * 10}", "close": "Connection: close"}
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nCache-Control: max-age=600\r\n{ends[framing]}\r\n\r\n"
    writer.write(head.encode())
    for number in range(count):
        piece = b'{"a":%03d}\n' % number
        writer.write(b"a\r\n%s\r\n" % piece if framing == "chunked" else piece)
        await writer.drain()
        await asyncio.sleep(every)
    if framing == "chunked":
        writer.write(b"0\r\n\r\n")
    return framing == "close"


def whole(writer: asyncio.StreamWriter, control: str, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nCache-Control: %s\r\nContent-Length: %d\r\n\r\n%s" % (control.encode(), len(body), body))


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), limit=1 << 18, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
