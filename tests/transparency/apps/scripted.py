"""The answers of answers.json, as the two Python apps give them."""

import base64
import json
from pathlib import Path

from pattern import pattern

ANSWERS = json.loads((Path(__file__).parents[1] / "answers.json").read_text())
FILE = pattern(1000)
FILE_TAG = '"file-1"'
MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"


def status(number: int) -> dict:
    """An answer of which only the status is remarkable."""
    answer = {"status": number, "fields": [["Content-Type", "text/plain"]]}
    return answer if number in (204, 205, 304) else {**answer, "text": f"{number}\n"}


def fields(answer: dict) -> list[tuple[str, str]]:
    """Its fields, with the length where it is known beforehand."""
    found = [tuple(pair) for pair in answer["fields"]]
    found += [(f"X-Many-{number}", str(number)) for number in range(answer.get("many", 0))]
    if "long" in answer:
        found.append(("X-Long", "x" * answer["long"]))
    whole = body(answer)
    if whole is not None:
        found.append(("Content-Length", str(len(whole))))
    return found


def body(answer: dict) -> bytes | None:
    """Its body in one piece; `None` where it has none or is streamed."""
    if "text" in answer:
        return answer["text"].encode()
    if "base64" in answer:
        return base64.b64decode(answer["base64"])
    return pattern(answer["size"]) if "size" in answer else None


def file(conditions: str | None, wanted: str | None, tag: str | None) -> dict:
    """A file of 1000 bytes under If-None-Match, Range and If-Range; one range is understood."""
    head = [["ETag", FILE_TAG], ["Last-Modified", MODIFIED], ["Accept-Ranges", "bytes"]]
    if conditions == FILE_TAG:
        return {"status": 304, "fields": head}
    if wanted is None or tag not in (None, FILE_TAG):
        return {"status": 200, "fields": head, "base64": base64.b64encode(FILE)}
    first, last = wanted.removeprefix("bytes=").split("-")
    begin = int(first) if first else len(FILE) - int(last)
    end = min(int(last), len(FILE) - 1) if first and last else len(FILE) - 1
    if begin > end:
        return {"status": 416, "fields": [*head, ["Content-Range", f"bytes */{len(FILE)}"]], "text": ""}
    head.append(["Content-Range", f"bytes {begin}-{end}/{len(FILE)}"])
    return {"status": 206, "fields": head, "base64": base64.b64encode(FILE[begin : end + 1])}
