"""A small origin: things with versions, read and raised under whatever spelling a reader takes for their id.

/READER/PLACE/...      the id is the path's fourth segment, or the query's `id`, or the body's
POST /things           {"reader": ..., "values": [...]}: which thing each value is read as, null for none
"""

import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class Versions:
    """The things of readers that only turn a text into an id: each begins at version 1."""

    def __init__(self, readers: dict):
        self.readers, self.lock, self.raised = readers, threading.Lock(), {}

    def read(self, reader: str, value) -> tuple[str, int] | None:
        try:
            thing = str(self.readers[reader](value))
        except (ValueError, TypeError, AttributeError, OverflowError):
            return None
        return thing, self.raised.get((reader, thing), 1)

    def write(self, reader: str, value) -> tuple[str, int] | None:
        with self.lock:
            found = self.read(reader, value)
            if found:
                self.raised[reader, found[0]] = found[1] + 1
                found = found[0], found[1] + 1
            return found


def told_id(target: str, kind: str, body: bytes):
    """The reader and the value that a request tells, with the path decoded as a WSGI server does."""
    parts = urlsplit(target)
    segments = unquote(parts.path).removesuffix("/").split("/")[1:]
    query = parse_qs(parts.query, keep_blank_values=True)
    if len(segments) > 3:
        return segments[0], "/".join(segments[3:])
    if "id" in query:
        return segments[0], query["id"][0]
    if kind == "application/x-www-form-urlencoded":
        return segments[0], parse_qs(body.decode(), keep_blank_values=True)["id"][0]
    return segments[0], json.loads(body)["id"]


def handler(things) -> type:
    """The handler over `things.read` and `things.write`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self):
            self.answer(things.read, b"")

        def do_PUT(self):
            self.answer(things.write, self.body())

        def do_POST(self):
            asked = json.loads(self.body())
            found = [things.read(asked["reader"], value) for value in asked["values"]]
            self.send(200, [thing and thing[0] for thing in found])

        def answer(self, do, body: bytes):
            try:
                reader, value = told_id(self.path, self.headers.get("Content-Type", ""), body)
            except (ValueError, KeyError, TypeError, IndexError):
                self.send(400, {"error": "no id"})
                return
            found = do(reader, value)
            self.send(
                200 if found else 404, {"thing": found[0], "version": found[1]} if found else {"error": "no such thing"}
            )

        def body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def send(self, status: int, answer):
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    return Handler


def serve(port: int, things) -> None:
    """Until SIGTERM."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler(things))
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever()
