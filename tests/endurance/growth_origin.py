"""A fast origin for the checks of growth: the path says what kind of answer, the query how long its body is.

    growth_origin.py PORT
"""

import asyncio
import re
import sys
from email.utils import formatdate

NOW = formatdate(usegmt=True).encode()
HEAD = b"HTTP/1.1 200 OK\r\nDate: %s\r\nCache-Control: public, max-age=86400\r\n" % NOW
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
KINDS = {
    b"usual": b'Content-Type: application/json\r\nETag: "5f0c"\r\nLast-Modified: Thu, 26 Nov 2020 10:00:00 GMT\r\n'
    b"Server: gunicorn\r\nX-Request-Id: 0123456789abcdef\r\nContent-Language: en\r\n",
    b"fields": b"".join(b"X-Field-Number-%d: value number %d\r\n" % (n, n) for n in range(80)),
    b"vary": b"Vary: X-Variant\r\n",
    b"json": b"Content-Type: application/json\r\n",
}


class Answering(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.read = transport, b""

    def data_received(self, data):
        self.read += data
        out = []
        while (end := self.read.find(b"\r\n\r\n")) >= 0:
            head = self.read[:end]
            length = LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.read) < whole:
                break
            self.read = self.read[whole:]
            out.append(self.answer(*head.split(b" ", 2)[:2]))
        self.transport.write(b"".join(out))

    def answer(self, method, target):
        if method != b"GET":
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        # /KIND/BYTES/whatever
        _, kind, size, rest = target.split(b"/", 3)
        fields = KINDS.get(kind, b"Content-Type: text/plain\r\n")
        if kind == b"tags":
            fields += b"Surrogate-Key: " + b" ".join(b"thing-%d-of-%s" % (n, rest) for n in range(100)) + b"\r\n"
        # Each body is another one, so that no copy serves two of them.
        body = b'{"of":"%s","x":"' % rest[:60]
        body += b"y" * (int(size) - len(body) - 2) + b'"}'
        return HEAD + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def main():
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
