"""The versioned origin: every write gives its key the next version, and every read says which one the key has.

Both wait for a moment before and after the step that counts, so that reads and writes overlap in every way. A write is
committed before it is answered. With the field `X-Hold: SECONDS` the answer waits for so long after the commit, which is
told at once on standard output: the moment to kill a node at.

    origin.py PORT
"""

import asyncio
import json
import random
import re
import sys

# The longest wait before and after a commit or a read, in seconds.
DELAY = 0.010
VERSION = re.compile(rb'"version": *(\d+)')
IDENTITY = re.compile(rb'"id": *"(\w+)"')
HOLD = re.compile(rb"\r\nx-hold: *([\d.]+)", re.I)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
PADDING = "x" * 200

versions: dict[str, int] = {}


class Exchange(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport, self.read = transport, b""

    def data_received(self, data: bytes) -> None:
        self.read += data
        end = self.read.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.read[:end]
        length = LENGTH.search(head)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self.read) < whole:
            return
        body, self.read = self.read[end + 4 : whole], self.read[whole:]
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if target == "/versions":
            self.answer(200, json.dumps(versions).encode())
        else:
            step = self.get if method == "GET" else self.commit
            asyncio.get_running_loop().call_later(random.uniform(0, DELAY), step, method, target, head, body)

    def get(self, _method: str, target: str, _head: bytes, _body: bytes) -> None:
        key = target.rsplit("/", 1)[1]
        self.later(0, 200, key, versions.get(key, 0))

    def commit(self, method: str, target: str, head: bytes, body: bytes) -> None:
        named = IDENTITY.search(body)
        key = named[1].decode() if named else target.rsplit("/", 1)[1]
        given = VERSION.search(body)
        version = versions[key] = int(given[1]) if given else versions.get(key, 0) + 1
        hold = HOLD.search(head)
        if hold:
            print(f"committed {key} {version}", flush=True)
        self.later(float(hold[1]) if hold else 0, 201 if method == "POST" else 200, key, version)

    def later(self, hold: float, status: int, key: str, version: int) -> None:
        body = f'{{"id": "{key}", "version": {version}, "padding": "{PADDING}"}}'.encode()
        asyncio.get_running_loop().call_later(hold + random.uniform(0, DELAY), self.answer, status, body)

    def answer(self, status: int, body: bytes) -> None:
        head = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        if not self.transport.is_closing():
            self.transport.write(head + body)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Exchange, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
