"""Runs every exchange with each app directly and through the proxy, and says where the two differ.

    run.py NAME=APP,PROXY,KNOWN,CACHE ...

Four ports each: the app's, and those of three proxies: without a cache, with one and with the name that clients use among
its `hosts`, and with one.
"""

import json
import sys
from collections import defaultdict

from differences import (
    ADDED,
    ADDED_WITH_A_CACHE,
    DROPPED,
    NOT_COMPARED,
    SEEN_ADDED,
    SEEN_LEAVING,
    SEEN_STAYING,
    SEEN_DROPPED,
    SEEN_DROPPED_ON_A_FILL,
)
from exchanges import EXCHANGES, HOSTS, REFUSED, SOCKET, Exchange
from wire import Answer, Connection, Cut


# What clients call the app: the app itself does not know it.
HOST = b"shop.example"


def converse(port: int, app_port: int, exchange: Exchange) -> tuple[list[Answer], list[dict]]:
    """The answers that came, and the requests as the app saw them."""
    with Connection(port) as connection:
        answers = []
        if exchange.how == "at once":
            connection.send(b"".join(request.head for request in exchange.requests).replace(b"{host}", HOST))
        for request in exchange.requests:
            interim = []
            if exchange.how != "at once":
                connection.send(request.head.replace(b"{host}", HOST))
                if request.waits:
                    interim = connection.go_ahead()
                connection.send(request.body)
            answers.append(connection.answer(request.method, interim))
        if exchange.how == "ends" and not connection.is_closed():
            raise Cut("the connection stays open")
    with Connection(app_port) as connection:
        connection.send(b"GET /seen/%s HTTP/1.1\r\nHost: x\r\n\r\n" % exchange.name.encode())
        return answers, json.loads(connection.answer().body)


def by_name(fields) -> dict:
    """The values under each name, in their order: neither the case of names nor the order among them has a meaning."""
    found = defaultdict(list)
    for name, value in fields:
        found[name.lower()].append(value)
    return found


def compare_answers(direct: Answer, proxied: Answer, cached: bool):
    """Yields a sentence for each difference that differences.py does not list."""
    own_304 = cached and proxied.status == 304
    for what in ("status", "body") if own_304 else ("status", "reason", "body"):
        here, there = getattr(direct, what), getattr(proxied, what)
        if here != there:
            yield f"{what}: directly {here!r:.300}, proxied {there!r:.300}"
    expected, found = by_name(direct.fields), by_name(proxied.fields)
    if direct.status == 205:
        expected.setdefault(b"content-length", [b"0"])
    if own_304:
        expected.setdefault(b"last-modified", found[b"last-modified"])
    for name, value in (ADDED_WITH_A_CACHE if cached else ADDED).items():
        own = expected.pop(name, []) if name != b"x-cache" else expected.pop(name, []) and []
        *before, last = found.pop(name, [b""])
        if before != own or not last.startswith(value):
            yield f"{name.decode()}: {[*before, last]}, expected {own} and one that begins with {value}"
    if (b"date" in expected) and (b"date" not in found):
        yield "no Date"
    for name in {*DROPPED} - {*found}:
        expected.pop(name, None)
    for name in sorted({*expected, *found} - {*NOT_COMPARED}):
        if expected[name] != found[name]:
            yield f"{name.decode()}: directly {expected[name]!r:.300}, proxied {found[name]!r:.300}"


def compare_seen(direct: dict, proxied: dict, dropped: set[str]):
    """The same for a request as the app saw it."""
    for what in sorted({*direct, *proxied} - {"fields"}):
        if direct.get(what) != proxied.get(what):
            yield f"the app saw {what}: directly {direct.get(what)!r:.300}, proxied {proxied.get(what)!r:.300}"
    expected, found = by_name(direct["fields"]), by_name(proxied["fields"])
    chunked = "transfer-encoding" in expected
    for name, value in SEEN_ADDED.items():
        own = expected[name] if name == "via" else []
        joined = ",".join(found.pop(name, [])).replace(", ", ",")
        allowed = [",".join([*own, one]) for one in ([value] if isinstance(value, str) else value or found["host"])]
        if joined not in allowed:
            yield f"the app saw {name}: {joined}, expected {own} and {value}"
        expected.pop(name, None)
    has_body = chunked or expected.get("content-length", ["0"]) != ["0"]
    if direct["method"] in SEEN_LEAVING or (direct["method"] not in SEEN_STAYING and has_body):
        expected.pop("connection", None)
        closing = found.pop("connection", [])
        if closing != ["close"]:
            yield f"the app saw connection: {closing}, expected close for this {direct['method']}"
    if chunked:
        found.pop("content-length", None)
    for name in sorted({*expected, *found}):
        may_be_gone = name in dropped or name in nominated(expected)
        if expected[name] != found[name] and (found[name] or not may_be_gone):
            yield f"the app saw {name}: directly {expected[name]!r:.300}, proxied {found[name]!r:.300}"


def nominated(fields: dict) -> set[str]:
    """The fields that the client's Connection field names: they end at the proxy (RFC 9110 section 7.6.1)."""
    return {name.strip().lower() for value in fields["connection"] for name in value.split(",")}


def differences(app_port: int, proxy_port: int, exchange: Exchange, cached: bool):
    """All differences of one exchange."""
    dropped = {*SEEN_DROPPED, *SEEN_DROPPED_ON_A_FILL} if cached else {*SEEN_DROPPED}
    try:
        direct, seen_directly = converse(app_port, app_port, exchange)
    except (Cut, OSError, ValueError) as error:
        yield f"the app itself does not answer: {error!r}"
        return
    try:
        proxied, seen_through = converse(proxy_port, app_port, exchange)
    except (Cut, OSError, ValueError) as error:
        yield f"no answer through the proxy: {error!r}"
        return
    for here, there in zip(direct, proxied, strict=True):
        yield from compare_answers(here, there, cached)
    counts = len(exchange.requests), len(seen_directly), len(seen_through)
    if len(set(counts)) > 1:
        yield "of {} requests the app saw {} directly and {} proxied".format(*counts)
        return
    for here, there in zip(seen_directly, seen_through, strict=True):
        yield from compare_seen(here, there, dropped)


def refusals(app_port: int, proxy_port: int):
    """What the proxy is to answer itself: each with what it did instead, or with nothing."""
    for status, reason, exchange in REFUSED:
        try:
            [answer], seen = converse(proxy_port, app_port, exchange)
            found = None if (answer.status, seen) == (status, []) else f"{answer.status}, not {status}: {reason}; the app saw {seen}"
        except (Cut, OSError) as error:
            found = repr(error)
        yield exchange.name, found


def socket_difference(app_port: int, proxy_port: int) -> str | None:
    """A WebSocket opens directly, or the comparison says nothing, and does not where the proxy was not told to allow it."""
    def status(port: int) -> int:
        with Connection(port) as connection:
            connection.send(SOCKET.requests[0].head.replace(b"{host}", HOST))
            return connection.answer().status
    here, there = status(app_port), status(proxy_port)
    return None if here == 101 and there != 101 else f"directly {here}, proxied {there}"


def main(arguments: list[str]) -> int:
    passed = failed = 0
    for argument in arguments:
        app, ports = argument.split("=")
        app_port, proxy_port, known_port, cache_port = map(int, ports.split(","))
        run = [("no cache", proxy_port, EXCHANGES), ("known host", known_port, HOSTS), ("cache", cache_port, EXCHANGES)]
        wanted = [(kind, port, exchange) for kind, port, some in run for exchange in some if app in exchange.apps]
        for kind, port, exchange in wanted:
            found = list(differences(app_port, port, exchange, kind != "no cache"))
            passed, failed = (passed, failed + 1) if found else (passed + 1, failed)
            for difference in found:
                print(f"{app}, {kind}: {exchange.name}: {difference}", flush=True)
        rest = list(refusals(app_port, proxy_port))
        if app in SOCKET.apps:
            rest.append((SOCKET.name, socket_difference(app_port, proxy_port)))
        for name, found in rest:
            passed, failed = (passed, failed + 1) if found else (passed + 1, failed)
            if found:
                print(f"{app}: {name}: {found}", flush=True)
        print(f"{app}: {len(wanted)} exchanges compared, {len(rest)} refusals")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
