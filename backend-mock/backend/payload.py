"""Reads a JSON request body field by field; what is wrong with it becomes a 400 that names the field."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest

from .database import MAX_ID

Check = Callable[[Any], Any]


def read(fields: Mapping[str, Check], partial: bool = False) -> dict[str, Any]:
    """The body's values, each as its check returns it: all of `fields`, or when `partial` at least one."""
    try:
        body = request.get_json()
    except BadRequest:
        raise BadRequest("The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    if unknown := body.keys() - fields.keys():
        raise BadRequest(f"Unknown field: {', '.join(sorted(unknown))}.")
    if not partial and (missing := [name for name in fields if name not in body]):
        raise BadRequest(f"Missing field: {', '.join(missing)}.")
    if not body:
        raise BadRequest(f"Send at least one of: {', '.join(fields)}.")
    return {name: _checked(name, fields[name], value) for name, value in body.items()}


def _checked(name: str, check: Check, value: Any) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise BadRequest(f"{name} must be {error}.") from None


def text(longest: int, shortest: int = 1) -> Check:
    def check(value: Any) -> str:
        # Not every database stores a NUL, and none a lone surrogate.
        storable = isinstance(value, str) and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
        if not storable or not shortest <= len(value) <= longest:
            raise ValueError(f"a text of {shortest} to {longest} characters")
        return value

    return check


def number(least: int, most: int = MAX_ID) -> Check:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return check


def moment(value: Any) -> datetime:
    wanted = 'a time written as "2023-03-15 15:00:00"'
    try:
        parsed = datetime.strptime(value, "%Y-%m-%d %H:%M:%S")
    except (TypeError, ValueError):
        raise ValueError(wanted) from None
    # strptime takes 2023-3-5 as well, which would be answered in other letters than it was sent.
    if as_text(parsed) != value:
        raise ValueError(wanted)
    return parsed


def as_text(value: datetime) -> str:
    """The one way a moment is written."""
    return value.isoformat(sep=" ", timespec="seconds")
