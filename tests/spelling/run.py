"""Reads a thing under one spelling of its id, writes it under another, and reads it again, thousands of times: after an
answered write no read may show an older version. And plain ids: a write to one leaves the others' answers in the cache.

    run.py rules|writes,APP-PORT,PROXY-PORT,READER,READER...  ...

Each argument is a proxy before an app; a thread of its own asks it one thing after the other.
SEED (1) begins the random numbers, COUNT (10000) is how many pairs are tried over all readers, and ONLY=READER/PLACE
tries one alone: a failure says with which of these it comes again. "stored" counts the pairs whose read was answered
from the cache, so that something could be stale: every plain one has to be.
"""

import json
import os
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from routes import places
from spellings import of
from telling import Request, fits, plainly, somehow
from things import ODD, PLAIN
from wire import Connection, Cut

SEED, COUNT, ONLY = int(os.environ.get("SEED", "1")), int(os.environ.get("COUNT", "10000")), os.environ.get("ONLY", "")
SHOWN_PER_PLACE = 2
HIT = [b"HIT"]


class Client:
    """One connection that is opened anew where the other end has closed it."""

    def __init__(self, port: int):
        self.port, self.connection = port, Connection(port)

    def ask(self, request: Request) -> tuple[int, list[bytes], dict]:
        """Status, X-Cache, and the answer's JSON."""
        for attempt in (1, 2):
            try:
                self.connection.send(request.sent())
                answer = self.connection.answer()
                break
            except (Cut, OSError):
                self.connection.socket.close()
                self.connection = Connection(self.port)
                if attempt == 2:
                    raise
        if answer.values(b"connection") == [b"close"]:
            self.connection.socket.close()
            self.connection = Connection(self.port)
        is_json = answer.values(b"content-type") == [b"application/json"]
        return answer.status, answer.values(b"x-cache"), json.loads(answer.body) if is_json else {}


@dataclass
class Found:
    """What was found at one place of a reader."""

    name: str
    counts: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def fault(self, kind: str, *lines: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN_PER_PLACE:
            again = f"SEED={SEED} COUNT={COUNT} ONLY={self.name}"
            self.faults.append("\n    ".join([f"{self.name}: {kind} ({again})", *lines]))


def spellings(app: Client, reader: str, wanted: int) -> dict[str, list]:
    """For each thing the spellings that the reader itself takes for it, all different."""
    rng, found = Random(f"{SEED} {reader}"), {thing: [] for thing in ODD[reader]}
    plain = dict(zip(found, same_things(app, reader, list(found)), strict=True))
    for _ in range(20):
        tried = [(thing, of(rng, thing, reader)) for thing in found for _ in range(2 * wanted // len(found) + 1)]
        for (thing, value), read in zip(tried, same_things(app, reader, [value for _, value in tried]), strict=True):
            if read == plain[thing] and value != thing and value not in found[thing]:
                found[thing].append(value)
        if sum(map(len, found.values())) >= wanted:
            break
    return {thing: values for thing, values in found.items() if values}


def same_things(app: Client, reader: str, values: list) -> list:
    """What each value is read as."""
    body = json.dumps({"reader": reader, "values": values}).encode()
    app.connection.send(b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return json.loads(app.connection.answer().body)


def pair(rng, base: str, read: str, write: str, known: dict) -> tuple[Request, Request, bool]:
    """A read and a write of one thing (plain and odd, odd and plain, or both odd), and whether the read is plain."""
    while True:
        thing = rng.choice(list(known))
        read_odd, write_odd = rng.choice(((False, True), (True, False), (True, True)))
        here = rng.choice(known[thing]) if read_odd else thing
        there = rng.choice(known[thing]) if write_odd else thing
        if fits(read, here) and fits(write, there):
            first = somehow(rng, "GET", base, read, here) if read_odd else plainly("GET", base, read, here)
            second = somehow(rng, "PUT", base, write, there) if write_odd else plainly("PUT", base, write, there)
            return first, second, not read_odd and thing.isascii()


def try_pair(proxy: Client, found: Found, read: Request, write: Request, plain: bool) -> None:
    """Read twice, written, read again."""
    proxy.ask(read)
    status, cache, before = proxy.ask(read)
    written_status, _, written = proxy.ask(write)
    _, again, after = proxy.ask(read)
    found.counts["pairs"] += 1
    found.counts["stored"] += cache == HIT
    told = [f"{request.target!r} {request.kind} {request.body!a}" for request in (read, write)]
    if (status, written_status) != (200, 200) or before["thing"] != written["thing"]:
        found.fault(
            "read otherwise than directly",
            f"read  {told[0]}: {status} {before}",
            f"write {told[1]}: {written_status} {written}",
        )
    elif after.get("version", 0) < written["version"]:
        found.fault(
            "stale", f"read  {told[0]}: {before}", f"write {told[1]}: {written}", f"read  {told[0]}: {after} {again}"
        )
    elif plain and cache != HIT:
        found.fault("a plain id is not stored", f"read {told[0]}: {before} {cache}")


def try_plain_ids(proxy: Client, found: Found, rng, base: str, read: str, write: str, values: list[str]) -> None:
    """All are stored; one is written; the others are answered from the cache still."""
    reads = {value: plainly("GET", base, read, value) for value in values}
    for request in reads.values():
        proxy.ask(request)
    for one in rng.sample(values, 2):
        _, _, written = proxy.ask(plainly("PUT", base, write, one))
        for value, request in reads.items():
            _, cache, answer = proxy.ask(request)
            if value == one and answer.get("version", 0) < written["version"]:
                found.fault("stale", f"{one!r} written: {written}", f"read: {answer}")
            elif value != one:
                found.counts["others"] += 1
                if cache != HIT:
                    found.fault("a plain id lost its hit", f"{one!r} written, {value!r} read: {cache}")


def try_reader(app: Client, proxy: Client, reader: str, which: str, wanted: int) -> list[Found]:
    """All places of one reader, one after the other."""
    asked = [place for place in places(which) if ONLY in ("", f"{reader}/{place[0]}")]
    known = spellings(app, reader, wanted * 2) if asked else {}
    results = []
    for place, read, write in asked:
        found, rng, base = Found(f"{reader}/{place}"), Random(f"{SEED} {reader} {place}"), f"/{reader}/{place}"
        try_plain_ids(proxy, found, rng, base, read, write, PLAIN[reader])
        for _ in range(wanted):
            try_pair(proxy, found, *pair(rng, base, read, write, known))
        results.append(found)
    for found in results[:1]:
        found.counts["spellings"] = sum(map(len, known.values()))
    return results


def main(arguments: list[str]) -> int:
    lanes = [argument.split(",") for argument in arguments]
    total = sum(len(places(which)) * len(readers) for which, _, _, *readers in lanes)
    wanted = -(-COUNT // total)
    results, broken = [], []

    def run(which: str, app_port: str, proxy_port: str, *readers: str) -> None:
        try:
            for reader in readers:
                results.extend(try_reader(Client(int(app_port)), Client(int(proxy_port)), reader, which, wanted))
        except BaseException as error:
            broken.append(f"{which} {readers}: {error!r}")
            raise

    threads = [threading.Thread(target=run, args=lane) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report(results, broken)


def report(results: list[Found], broken: list[str]) -> int:
    kinds = ("pairs", "stored", "stale", "a plain id is not stored", "others", "a plain id lost its hit")
    print(f"{'reader/place':34}" + "".join(f"{kind[-12:]:>14}" for kind in kinds))
    total = Counter()
    for found in sorted(results, key=lambda found: found.name):
        total.update(found.counts)
        print(f"{found.name:34}" + "".join(f"{found.counts[kind]:14}" for kind in kinds))
        print("".join(f"  {fault}\n" for fault in found.faults), end="")
    for line in broken:
        print(f"ended: {line}")
    failed = sum(bool(found.faults) for found in results) + len(broken)
    print(f"seed {SEED}: " + ", ".join(f"{kind} {number}" for kind, number in total.items()))
    print(f"{len(results) - failed + len(broken)} passed, {failed} failed")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
