"""What is left of a flood of writes, each to something else: Redis and the node take no more memory for the second half of
it than for the first, the record lists so many tags and no more, and only what has something in common with what was written
is lost."""

import subprocess
import tempfile
import time

from growth import ask, get, origin, put
from log_lines import redis
from stand import MIB, Process, Row, at_most, free_port, proxy

# A route that is flooded, one with tags, and one that has nothing to do with either.
CONFIG = """
commit_within = "1s"
[store]
url = "redis://127.0.0.1:%d"
memory = "16MiB"
[[route]]
path = "/small/{size}/{id}"
ttl = "1h"
invalidated_by = ["PUT /small/{size}/{id}"]
[[route]]
path = "/usual/{size}/{id}"
ttl = "1h"
tags = ["user:{id}"]
invalidated_by = ["PUT /usual/{size}/{id}"]
[[route]]
path = "/json/{size}/{id}"
ttl = "1h"
invalidated_by = ["PUT /json/{size}/{id}"]
[[write]]
request = "PUT /users/{id}"
drops = ["tag:user:{id}"]
[[write]]
request = "PUT /other/{id}"
drops = []
"""
RECORD, HELD = "aside:{aside}:gen", "aside:{aside}:held"
WRITES = 20_000
# The tags that are listed (TAG_LIMIT), and what the record says besides.
LISTED = 10_000 + 20
# One entry each: of the flooded route, with a tag, and of neither.
ENTRIES = {"the route": "/small/50/a", "a tag": "/usual/500/a", "neither": "/json/500/a"}
# What is written to, and which entries are lost for it.
FLOODS = [
    ("one route", "/small/50/%d", {"the route"}),
    ("tags", "/users/%d", {"a tag"}),
    ("paths without a route", "/other/%d", set()),
]


def command(port: int, *words: str) -> str:
    return subprocess.run(["redis-cli", "-p", str(port), *words], check=True, capture_output=True, text=True).stdout.strip()


def used(port: int) -> float:
    """MiB that Redis has in use."""
    info = dict(line.split(":", 1) for line in command(port, "INFO", "memory").splitlines() if ":" in line)
    return int(info["used_memory"]) / MIB


def kept(port: int) -> set[str]:
    return {name for name, target in ENTRIES.items() if ask(port, [get(target)])}


def flood(store: int, aside: Process, target: str, begin: int) -> tuple[float, float]:
    """A half of the flood; what Redis and the node have in use after it, in MiB."""
    # From 1: a backend may read 0 as none at all, so a write to it drops more than its own.
    ask(aside.port, (put(target % (begin + number)) for number in range(1, WRITES + 1)))
    return used(store), aside.memory()


def settled(port: int) -> None:
    """A new registry has everything dropped once more, when no write from before can be committed any more."""
    end = time.monotonic() + 30
    while command(port, "EXISTS", HELD, RECORD) != "1" and time.monotonic() < end:
        time.sleep(0.2)


def rows(_):
    with tempfile.TemporaryDirectory() as folder, origin() as server, redis(free_port(), folder) as store:
        with proxy(server.port, CONFIG % store.port) as aside:
            settled(store.port)
            for what, target, lost in FLOODS:
                yield from rows_of(store.port, aside, f"{2 * WRITES} writes, each to another of {what}", target, lost)


def rows_of(store: int, aside: Process, name: str, target: str, lost: set[str]):
    ask(aside.port, [get(entry) for entry in ENTRIES.values()])
    before, floor = kept(aside.port), command(store, "HGET", RECORD, "floor")
    first, second = (flood(store, aside, target, half * WRITES) for half in range(2))
    gone, same = before - kept(aside.port), command(store, "HGET", RECORD, "floor") == floor
    yield at_most(f"{name}: Redis grows in the second half by", second[0] - first[0], 1, "MiB")
    yield at_most(f"{name}: the node grows in the second half by", second[1] - first[1], 8, "MiB")
    yield at_most(f"{name}: fields of the record", int(command(store, "HLEN", RECORD)), LISTED, "")
    yield Row(f"{name}: everything was dropped", "no" if same else "yes", "no", same)
    yield Row(f"{name}: lost is what has", listed(gone), listed(lost), gone == lost and len(before) == len(ENTRIES))


def listed(entries: set[str]) -> str:
    return " and ".join(sorted(entries)) or "nothing"
