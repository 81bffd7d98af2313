"""HTTP/1.1 over a plain socket: what was sent and what came, byte for byte, with no library in between."""

import socket
from dataclasses import dataclass, field

PATIENCE = 20.0


@dataclass
class Answer:
    """One answer as it came; `framing` is none, length, chunked or close."""

    version: bytes
    status: int
    reason: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    framing: str = "none"
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    interim: list[int] = field(default_factory=list)

    def values(self, name: bytes) -> list[bytes]:
        """The values of a field, in their order."""
        return [value for known, value in self.fields if known.lower() == name]


class Cut(Exception):
    """The connection ended within a message."""


class Connection:
    """A client's connection."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.read = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, method: bytes = b"GET", interim: list[int] | None = None) -> Answer:
        """The next final answer; the interim ones before it are noted in it."""
        seen = list(interim or [])
        while True:
            answer = self.head()
            if answer.status >= 200 or answer.status == 101:
                break
            seen.append(answer.status)
        answer.interim = seen
        self._body(answer, method)
        return answer

    def go_ahead(self) -> list[int]:
        """Waits for a 100; what comes instead is left for `answer`."""
        while b"\r\n\r\n" not in self.read:
            self.more()
        if self.read.split(b" ", 2)[1] == b"100":
            return [self.head().status]
        return []

    def is_closed(self) -> bool:
        """Whether the other end closes now, with nothing more to say."""
        return self.read == b"" and self.socket.recv(1) == b""

    def head(self) -> Answer:
        """The next head, its body yet to be read."""
        while b"\r\n\r\n" not in self.read:
            self.more()
        head, self.read = self.read.split(b"\r\n\r\n", 1)
        first, *lines = head.split(b"\r\n")
        version, status, reason = (first + b" ").split(b" ", 2)
        return Answer(version, int(status), reason[:-1] if reason else b"", _fields(lines))

    def _body(self, answer: Answer, method: bytes) -> None:
        if method == b"HEAD" or answer.status in (101, 204, 304):
            return
        codings, lengths = answer.values(b"transfer-encoding"), answer.values(b"content-length")
        if codings:
            assert [coding.lower() for coding in codings] == [b"chunked"] and not lengths, answer.fields
            answer.framing = "chunked"
            self._chunks(answer)
        elif lengths:
            assert len(lengths) == 1, answer.fields
            answer.framing = "length"
            answer.body = self.exactly(int(lengths[0]))
        else:
            answer.framing = "close"
            while piece := self.socket.recv(1 << 16):
                self.read += piece
            answer.body, self.read = self.read, b""

    def _chunks(self, answer: Answer) -> None:
        pieces = []
        while size := int(self.line().split(b";")[0], 16):
            pieces.append(self.exactly(size))
            assert self.line() == b""
        while line := self.line():
            answer.trailers += _fields([line])
        answer.body = b"".join(pieces)

    def exactly(self, size: int) -> bytes:
        """The next so many bytes."""
        pieces, missing = [self.read[:size]], size - len(self.read)
        self.read = self.read[size:]
        while missing > 0:
            piece = self.socket.recv(min(missing, 1 << 16))
            if not piece:
                raise Cut(f"{missing} of {size} bytes are missing")
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def line(self) -> bytes:
        """The next line, without its end."""
        while b"\r\n" not in self.read:
            self.more()
        line, self.read = self.read.split(b"\r\n", 1)
        return line

    def more(self) -> None:
        """Adds to `read` what comes next."""
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise Cut(f"the connection ended after {self.read[:200]!r}")
        self.read += piece


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    pairs = (line.split(b":", 1) for line in lines)
    return [(name, value.strip(b" \t")) for name, value in pairs]
