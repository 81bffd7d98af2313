"""The exchanges: what a client sends, as bytes. `{host}` is a name that is neither the app's nor the proxy's address."""

import hashlib
import random
from dataclasses import dataclass

FLASK, ASGI, NODE = "flask", "asgi", "node"
ALL = (FLASK, ASGI, NODE)


@dataclass(frozen=True)
class Request:
    """One request: its head, and its body as it goes over the wire."""

    head: bytes
    body: bytes = b""

    @property
    def method(self) -> bytes:
        return self.head.split(b" ", 1)[0]

    @property
    def waits(self) -> bool:
        """Whether the body is sent only after the server said so."""
        return b"100-continue" in self.head


@dataclass(frozen=True)
class Exchange:
    """Requests on one connection, one after the other; `how` says what is special about the connection."""

    name: str
    requests: tuple[Request, ...]
    apps: tuple[str, ...] = ALL
    how: str = ""


def request(name, line, *fields, body=None, chunks=None, trailers=b"", version="1.1", host="{host}") -> Request:
    lines = [f"{line} HTTP/{version}".encode()]
    if host is not None:
        lines.append(f"Host: {host}".encode())
    lines.append(b"X-Exchange: " + name.encode())
    lines += [field if isinstance(field, bytes) else field.encode() for field in fields]
    if chunks is not None:
        lines.append(b"Transfer-Encoding: chunked")
        pieces = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
        body = b"".join(pieces) + b"0\r\n" + trailers + b"\r\n"
    elif body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return Request(b"\r\n".join(lines) + b"\r\n\r\n", body or b"")


def ask(name, line, *fields, apps=ALL, how="", **rest) -> Exchange:
    """An exchange of one request."""
    name = name.replace(" ", "-")
    return Exchange(name, (request(name, line, *fields, **rest),), apps, how)


def several(name, *lines, apps=ALL, how="") -> Exchange:
    """GETs and the like on one connection."""
    return Exchange(name, tuple(request(name, line) for line in lines), apps, how)


def random_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


LARGE = random_bytes(5 << 20)
FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
MULTIPART = (
    b"--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nsome\r\n"
    b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\xc3\xb1 \\\"x\\\".bin\"\r\n"
    b"Content-Type: application/octet-stream\r\n\r\n" + random_bytes(3000) + b"\r\n--b--\r\n"
)

METHODS = [
    ask("GET", "GET /any/thing"),
    ask("HEAD", "HEAD /reply/plain"),
    ask("HEAD of a megabyte", "HEAD /reply/megabyte"),
    ask("HEAD of a stream", "HEAD /reply/stream"),
    ask("HEAD of nothing", "HEAD /reply/empty"),
    ask("HEAD of 304", "HEAD /status/304"),
    ask("POST", "POST /any/thing", JSON, body=b'{"a":1}'),
    ask("POST of nothing", "POST /any/thing", body=b""),
    ask("POST without a length", "POST /any/thing"),
    ask("PUT", "PUT /any/thing", JSON, body=b'{"a":\xc3\xb1}'),
    ask("PATCH", "PATCH /any/thing", "Content-Type: application/json-patch+json", body=b"[]"),
    ask("DELETE", "DELETE /any/thing"),
    ask("DELETE with a body", "DELETE /any/thing", JSON, body=b"[1]"),
    ask("OPTIONS", "OPTIONS /any/thing"),
    ask("OPTIONS of everything", "OPTIONS *", apps=(NODE,)),
    ask("REPORT", "REPORT /any/thing", body=b"<x/>"),
    ask("unknown method", "BREW /any/thing", apps=(FLASK, ASGI)),
    ask("method in lower case", "get /any/thing", apps=(ASGI,)),
    ask("GET with a body", "GET /any/thing", JSON, body=b'{"query":{}}'),
    ask("GET with a chunked body", "GET /any/thing", JSON, chunks=[b"{", b"}"]),
    ask("GET with a large chunked body", "GET /any/thing", chunks=[random_bytes(100_000)]),
]

STATUSES = [
    ask(f"status {number}", f"GET /status/{number}")
    for number in (200, 201, 202, 203, 204, 205, 207, 226, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405)
] + [
    ask(f"status {number}", f"GET /status/{number}")
    for number in (406, 408, 409, 410, 411, 412, 413, 415, 418, 421, 422, 425, 428, 429, 431, 451)
] + [ask(f"status {number}", f"GET /status/{number}") for number in (500, 501, 502, 503, 504, 505, 507, 511, 599)] + [
    ask("POST 201", "POST /reply/created", JSON, body=b"{}"),
    ask("POST 422", "POST /status/422", JSON, body=b"{}"),
    ask("POST 500", "POST /status/500", JSON, body=b"{}"),
    ask("PUT 204", "PUT /status/204", JSON, body=b"{}"),
    ask("POST 303", "POST /redirect", body=b""),
    ask("custom reason", "GET /reply/custom-reason", apps=(FLASK, NODE)),
    ask("unknown status", "GET /reply/unknown-status", apps=(FLASK, NODE)),
    ask("an error of the app", "GET /broken", apps=(FLASK, ASGI)),
    ask("not found", "GET /reply", apps=(FLASK,)),
    ask("redirect to itself", "GET /any//twice//slashed", apps=(FLASK,)),
]

REPLIES = [
    ask(f"reply {name}", f"GET /reply/{name}")
    for name in (
        "plain", "empty", "megabyte", "binary", "json", "gzip", "stream", "empty-stream", "events", "cookies", "links", "obs-text",
        "odd-fields", "fifty-fields", "long-field", "hop-by-hop", "cacheable", "proxied", "policy", "partial", "ranges",
        "not-satisfiable", "moved", "unauthorized", "not-allowed", "too-many", "unavailable", "not-modified",
    )
] + [ask("trailers of the answer", "GET /reply/trailers", apps=(NODE,)), ask("early hints", "GET /reply/early-hints", apps=(NODE,))]

BODIES = [
    ask("mirror of a kilobyte", "POST /mirror", "Content-Type: a/b", body=random_bytes(1000)),
    ask("mirror of 64 KiB", "POST /mirror", body=random_bytes(65536)),
    ask("mirror of 64 KiB and one", "POST /mirror", body=random_bytes(65537)),
    ask("mirror of five megabytes", "PUT /mirror", body=LARGE),
    ask("chunked upload", "POST /mirror", chunks=[b"one", b"two\r\n", b"\x00"]),
    ask("chunked upload of nothing", "POST /mirror", chunks=[]),
    ask("large chunked upload", "POST /mirror", chunks=[LARGE[at : at + 70_001] for at in range(0, len(LARGE), 70_001)]),
    ask("multipart", "POST /mirror", "Content-Type: multipart/form-data; boundary=b", body=MULTIPART),
    ask("multipart understood", "POST /form", "Content-Type: multipart/form-data; boundary=b", body=MULTIPART, apps=(FLASK,)),
    ask("form understood", "POST /form", FORM, body=b"a=1&a=2&b=%C3%B1+%26", apps=(FLASK,)),
    ask("gzip upload", "POST /mirror", "Content-Encoding: gzip", body=bytes.fromhex("1f8b0800000000000003030000000000")),
    ask("expect and go ahead", "POST /mirror", "Expect: 100-continue", body=random_bytes(2000)),
    ask("expect and go ahead, large", "PUT /mirror", "Expect: 100-continue", body=random_bytes(200_000)),
    ask("digest", "PUT /mirror", "Content-MD5: x", f"Repr-Digest: sha-256=:{hashlib.sha256(b'x').hexdigest()}:", body=b"x"),
]

TARGETS = [
    ask(f"target {number}", f"GET /any{target}")
    for number, target in enumerate((
        "/", "/?", "/a%2Fb", "/a%2fb", "/a%20b", "/%E2%9C%93", "/a+b", "/a;v=1", "/a,b", "/a:b@c", "/%41", "/~a-b_c.d!$&'()*+,;=",
        "/a%00b", "/a%0d%0ab", "/.hidden", "/a.", "/a|b", "/a%", "/a%zz", "/%252F", "/x" * 300, "/q?", "/q?a", "/q?a=", "/q?=b", "/q?a=1&a=2",
        "/q?b=2&a=1", "/q?a=%2F&b=/", "/q?a+b=c%20d", "/q?a=?&b=??", "/q?&&", "/q?a;b=c", "/q?a=%E2%9C%93", "/q?a[]=1&b[x]=2",
        "/q?a=%zz&b=%", "/q?a='{}|^`\\", '/a"{b}', "/q?" + "a" * 4000, "/q?next=http://x.example/?a%23b",
    ))
] + [
    ask("dot segments", "GET /any/a/../b/./c", apps=(FLASK, NODE)),
]

FIELDS = [
    ask("cookies of the request", "GET /any/c", 'Cookie: a=1; b="x, y"; c=; d=e=f', apps=ALL),
    ask("cookies in two fields", "GET /any/c", "Cookie: a=1", "Cookie: b=2", apps=(ASGI, NODE)),
    ask("Authorization", "GET /any/a", "Authorization: Bearer abc.def-_~+/="),
    ask("Basic understood", "GET /private", "Authorization: Basic dTpwOng=", apps=(FLASK,)),
    ask("Basic missing", "GET /private", apps=(FLASK,)),
    ask("login", "POST /login", FORM, body=b"user=me", apps=(FLASK,)),
    ask("API keys", "GET /any/a", "X-Api-Key: k", "X-CSRF-Token: t", "X-Requested-With: XMLHttpRequest"),
    ask("negotiation", "GET /any/a", "Accept: text/html,*/*;q=0.8", "Accept-Language: es, nl;q=0.5", "Accept-Encoding: gzip, br", "User-Agent: a (b; c)"),
    ask("cache control of the request", "GET /any/a", "Cache-Control: no-cache, max-age=0", "Pragma: no-cache"),
    ask("duplicates", "GET /any/a", "X-Two: 1", "X-Other: o", "X-Two: 2", "Accept: a/b", "Accept: c/d"),
    ask("empty and quoted", "GET /any/a", "X-Empty:", 'X-Quoted: "a\\"b,;"', "X-Spaces:   a  b  "),
    ask("obs-text of the request", "GET /any/a", b"X-Latin: caf\xe9 \xff", "X-Utf8: ñ✓".encode()),
    ask("sixty fields", "GET /any/a", *(f"X-Many-{number}: {number}" for number in range(60))),
    ask("a long field", "GET /any/a", "X-Long: " + "y" * 7000),
    ask("case of names", "GET /any/a", "x-LOWER-upper: 1", "USER-AGENT: z"),
    ask("forged", "GET /any/a", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil", "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Original-URL: /admin", "X-HTTP-Method-Override: DELETE"),
    ask("underscores", "GET /any/a", "X_Under_Score: 1"),
    ask("hop-by-hop of the request", "GET /any/a", "Connection: keep-alive, X-Mine", "Keep-Alive: timeout=5", "TE: trailers", "Proxy-Authorization: x", "Proxy-Connection: keep-alive"),
    ask("preflight", "OPTIONS /reply/preflight", "Origin: https://app.example", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-token"),
    ask("origin and referer", "GET /any/a", "Origin: null", "Referer: https://x.example/a?b", "Sec-Fetch-Mode: cors", "DNT: 1", "Upgrade-Insecure-Requests: 1"),
    ask("tracing", "GET /any/a", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate: a=b,c=d", "X-Request-Id: 7", "Idempotency-Key: \"8\""),
    ask("a Via of the client's", "GET /any/a", "Via: 1.0 before"),
    ask("upgrade to h2c", "GET /any/a", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA", apps=(FLASK,)),
]

PARTS = [
    ask("file", "GET /file"),
    ask("file not modified", "GET /file", 'If-None-Match: "file-1"'),
    ask("file modified", "GET /file", 'If-None-Match: "file-0", W/"x"', "If-Modified-Since: Wed, 21 Oct 2015 07:28:00 GMT"),
    ask("range", "GET /file", "Range: bytes=10-19"),
    ask("range of the end", "GET /file", "Range: bytes=-5"),
    ask("range that is open", "GET /file", "Range: bytes=990-"),
    ask("range beyond", "GET /file", "Range: bytes=2000-"),
    ask("range if unchanged", "GET /file", "Range: bytes=0-0", 'If-Range: "file-1"'),
    ask("range if changed", "GET /file", "Range: bytes=0-0", 'If-Range: "file-0"'),
    ask("conditions for a write", "PUT /any/a", 'If-Match: "1", "2"', "If-Unmodified-Since: Wed, 21 Oct 2015 07:28:00 GMT", body=b"x"),
]

CONNECTIONS = [
    several("keep-alive", "GET /reply/plain", "GET /reply/stream", "HEAD /reply/plain", "GET /status/204", "GET /reply/megabyte", "GET /status/404"),
    several("pipelined", "GET /reply/plain", "GET /status/404", "GET /reply/stream", apps=(ASGI, NODE), how="at once"),
    ask("close", "GET /reply/plain", "Connection: close", how="ends"),
    ask("close of a stream", "GET /reply/stream", "Connection: close", how="ends"),
    ask("HTTP 1.0", "GET /reply/plain", version="1.0", how="ends"),
    ask("HTTP 1.0 and a stream", "GET /reply/stream", version="1.0", how="ends"),
    ask("HTTP 1.0 kept", "GET /reply/plain", "Connection: keep-alive", version="1.0"),
    ask("HTTP 1.0 HEAD", "HEAD /reply/megabyte", version="1.0", how="ends"),
    ask("HTTP 1.0 POST", "POST /mirror", version="1.0", body=b"abc", how="ends"),
    ask("redirect to an absolute URL", "GET /redirect"),
]

EXCHANGES = [*METHODS, *STATUSES, *REPLIES, *BODIES, *TARGETS, *FIELDS, *PARTS, *CONNECTIONS]

# What the proxy answers itself although an app may take it: status, reason and the request.
REFUSED = [
    (405, "CONNECT and TRACE are for the proxy, not for what is behind it", ask("TRACE", "TRACE /any/a")),
    (400, "no target of RFC 3986 has a bare `\"`, `<` or `>` in its query", ask("a bare quote in the query", 'GET /any/q?a="b"')),
    (400, "two servers may not understand different hosts", ask("two Hosts", "GET /any/a", "Host: other")),
    (400, "no field that is meant for the app may be taken from it", ask("Connection: cookie", "GET /any/a", "Connection: cookie", "Cookie: a=1")),
    (
        400, "two parsers may not agree on where a trailer section ends, and none is forwarded",
        ask("trailers of the request", "POST /mirror", "Trailer: X-Sum", chunks=[b"abc"], trailers=b"X-Sum: 3\r\n"),
    ),
    (501, "a body that two parsers could read differently", ask("gzip as transfer coding", "POST /any/a", "Transfer-Encoding: gzip, chunked")),
]

# What the app answers as if it had not been asked for: nobody allowed a switch of protocols.
SOCKET = ask(
    "a socket", "GET /socket", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", apps=(NODE, ASGI),
)

# Through every proxy, also one that is known by `{host}` alone: the app sees the Host that the client sent.
HOSTS = [
    ask("Host of the client", "GET /any/a"),
    ask("Host with a port", "GET /any/a", host="shop.example:8443"),
    ask("another Host", "GET /any/a", host="other.example"),
    ask("another Host in a write", "POST /mirror", host="Other.Example", body=b"abc"),
    ask("redirect to the client's Host", "GET /redirect"),
    ask("redirect to another Host", "GET /redirect", host="other.example"),
    ask("redirect after a write", "POST /redirect", body=b""),
]
EXCHANGES += HOSTS
