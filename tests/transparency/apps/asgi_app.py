"""An ASGI app that gives answers.json and remembers every request as uvicorn handed it over."""

import hashlib
import json

import scripted

seen: dict[str, list] = {}


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    if scope["type"] != "http":
        return
    body = await read(receive)
    fields = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
    first = dict(reversed(fields))
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    seen.setdefault(first.get("x-exchange", ""), []).append({
        "method": scope["method"],
        "target": (scope["raw_path"] + query).decode("latin-1"),
        "path": scope["path"],
        "scheme": scope["scheme"],
        "fields": fields,
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    })
    await give(choose(scope["path"], first, body, scope["method"]), send)


def choose(path: str, fields: dict, body: bytes, method: str) -> dict:
    _, kind, *rest = path.split("/", 2)
    if kind == "seen":
        return {"status": 200, "fields": [], "text": json.dumps(seen.pop(rest[0], []))}
    if kind == "reply":
        return scripted.ANSWERS[rest[0]]
    if kind == "status":
        return scripted.status(int(rest[0]))
    if kind == "file":
        return scripted.file(fields.get("if-none-match"), fields.get("range"), fields.get("if-range"))
    if kind == "redirect":
        return {"status": 303, "fields": [["Location", f"http://{fields['host']}/any/target?a=b+c"]], "text": ""}
    if kind == "mirror":
        return {"status": 200, "fields": [["Content-Type", fields.get("content-type", "x/y")]], "raw": body}
    if kind == "broken":
        raise ValueError("on purpose")
    return {"status": 200, "fields": [["Content-Type", "application/json"]], "text": json.dumps([path, method])}


async def read(receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def give(answer: dict, send):
    whole = answer["raw"] if "raw" in answer else scripted.body(answer)
    fields = [(name.encode(), value.encode("latin-1")) for name, value in scripted.fields(answer)]
    if "raw" in answer:
        fields.append((b"Content-Length", str(len(whole)).encode()))
    await send({"type": "http.response.start", "status": answer["status"], "headers": fields})
    for piece in answer.get("chunks", []):
        await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": whole or b""})
