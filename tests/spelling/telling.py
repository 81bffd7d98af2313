"""A request that tells an id, in one of the ways in which the same id can be told: what is percent-encoded and how,
what else the query holds, and how a body says it."""

import json
from dataclasses import dataclass
from urllib.parse import urlencode

UNRESERVED = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
IN_SEGMENTS = b"!$&'()*+,;=:@"
IN_QUERIES = b"!$'()*,:@/?"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """A method, a target, and a body with its kind."""

    method: str
    target: str
    kind: str = ""
    body: bytes = b""

    def sent(self) -> bytes:
        fields = f"Content-Length: {len(self.body)}\r\n" if self.method == "PUT" else ""
        fields += f"Content-Type: {self.kind}\r\n" if self.kind else ""
        return f"{self.method} {self.target} HTTP/1.1\r\nHost: things.test\r\n{fields}\r\n".encode() + self.body


def plainly(method: str, base: str, how: str, value: object) -> Request:
    """As a client does that has no choice to make."""
    if how == "path":
        return Request(method, f"{base}/things/{_encoded(str(value), UNRESERVED)}")
    if how == "query":
        return Request(method, f"{base}/find?id={_encoded(str(value), UNRESERVED)}")
    return Request(method, f"{base}/things", JSON, json.dumps({"id": value}).encode())


def somehow(rng, method: str, base: str, how: str, value: object) -> Request:
    """In any way."""
    if how == "path":
        slash = "/" if rng.random() < 0.05 else ""
        return Request(method, f"{base}/things/{_any(rng, str(value), IN_SEGMENTS)}{slash}")
    if how == "query":
        return Request(method, f"{base}/find?{_query(rng, str(value), method)}")
    kind, body = _body(rng, value, base)
    return Request(method, f"{base}/things", kind, body)


def fits(how: str, value: object) -> bool:
    """Whether a value can be told so: paths and queries tell texts, and a segment is not empty and no dots alone."""
    if how == "body":
        return True
    return isinstance(value, str) and (how == "query" or value.strip("./\\") != "")


def _encoded(text: str, kept: bytes) -> str:
    return "".join(chr(octet) if octet in kept else f"%{octet:02X}" for octet in text.encode())


def _any(rng, text: str, allowed: bytes) -> str:
    """The octets that may stand as they are stand so or encoded; hexadecimal digits in either case."""
    share = rng.choice((0, 0, 0, 0, 0, 0, 0.1, 1))
    told = ""
    for octet in text.encode():
        stays = octet in UNRESERVED and rng.random() >= share or octet in allowed and rng.random() < 0.5
        told += chr(octet) if stays else f"%{octet:02x}" if rng.random() < 0.3 else f"%{octet:02X}"
    return told


def _query(rng, text: str, method: str) -> str:
    value = _any(rng, text, IN_QUERIES)
    if rng.random() < 0.5:
        value = value.replace("%20", "+")
    pairs = [(rng.choice(("id", "id", "id", "id", "id", "%69d", "i%64")), value)]
    if method == "PUT" and rng.random() < 0.1:
        pairs.insert(rng.randint(0, 1), ("note", "8"))
    return "&".join(f"{name}={value}" for name, value in pairs)


def _body(rng, value: object, base: str) -> tuple[str, bytes]:
    if isinstance(value, str) and rng.random() < 0.04:
        return FORM, urlencode({"id": value}).encode()
    told = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    name = rng.choice(('"id"', '"id"', '"id"', '"id"', '"\\u0069d"', '"i\\u0064"'))
    earlier = rng.choice(('"id": "8", ', '"id": 8, ')) if rng.random() < 0.05 else ""
    text = rng.choice(("{{{}{}: {}}}", '{{"note": 8, {}{}:{}}}', ' {{\n\t{}{}: {}, "name": "id"}}\n')).format(
        earlier, name, told
    )
    kind = rng.choice(
        (JSON, JSON, JSON, JSON, "application/json; charset=utf-8", "application/merge-patch+json", "text/plain", "")
    )
    return kind, text.encode(_coding(rng, base))


def _coding(rng, base: str) -> str:
    """Python's reader of JSON finds out the coding; JavaScript's takes a byte order mark away."""
    if rng.random() >= 0.05:
        return "utf-8"
    return (
        "utf-8-sig"
        if base.startswith(("/parseInt", "/Number"))
        else rng.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32"))
    )
