"""What a row came to: its violations, what was lost for good, errors, the course of the hit ratio, and times."""

import re
import time
from array import array
from dataclasses import dataclass

from load import STEP, Tally
from rows import BACK, Row
from servers import get
from stand import COMMIT_WITHIN, GRACE, Options, Stand

# The share of hits that a quiet row has, and that every row has again after its faults.
HITS = 0.4
# How long a stretch has to be for its share of hits to count, in steps.
STRETCH = 5
BODY = re.compile(rb'"version": *(\d+)')

HEAD = (
    f"{'row':<20} {'nodes':>5} {'when_down':<9} {'reads':>7} {'writes':>6} {'violations':>10} {'lost':>4}  {'hits before/during/after':<24} "
    f"{'back':>6}  {'GET p50/p99 ms':>14} {'PUT p50/p99 ms':>14}  errors"
)


MARKS = ("<!-- figures: made by `scripts/coherence --document` -->\n", "<!-- end of figures -->\n")


def document(text: str, results: list[dict]) -> str:
    """A page with these figures in their place."""
    before, mark, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (mark and end):
        raise SystemExit(f"the page has no place for the figures, between {MARKS[0].strip()} and {MARKS[1].strip()}")
    head = "| fault | nodes | `when_down` | reads | writes | older | lost | hits before / during / after | GET p50, p99 ms | PUT p50, p99 ms | errors |"
    lines = [head, "|" + "---|" * 11, *map(as_markdown, results)]
    return before + mark + "\n".join(lines) + "\n" + end + after


def as_markdown(figures: dict) -> str:
    """A row's figures, as `Result.as_json` has them, as a line of that table."""
    shares = " / ".join("–" if share is None else f"{share:.0%}" for share in figures["shares"])
    gets, puts = (f"{median:.1f}, {most:.1f}" for median, most in (figures["get_ms"], figures["put_ms"]))
    errors = ", ".join(f"{count} {kind}" for kind, count in sorted(figures["errors"].items())) or "none"
    counts = (figures[name] for name in ("nodes", "when_down", "reads", "writes", "violations"))
    return f"| {' | '.join(map(str, (figures['what'], *counts, len(figures['lost']), shares, gets, puts, errors)))} |"


def settle(made: Stand, tally: Tally) -> tuple[list[dict], list[dict]]:
    """Reads every key through every node once all is calm, until each answer agrees with the origin's own state.

    Comes back with what stays old for good, and with what was older than an acknowledged write, if for a moment."""
    deadline = time.monotonic() + COMMIT_WITHIN + GRACE
    # A commit whose client gave up may still be on its way.
    time.sleep(0.5)
    truth = made.origin.versions()
    if made.kind == "cache-only":
        truth = {key: version for key, version in tally.acked.items() if key not in tally.spoiled}
    elif made.kind == "purged":
        # Of what was written behind the nodes' back and not purged so far they may know or not.
        truth = dict(tally.acked)
    left = [(key, node) for key in truth for node in made.nodes]
    late, seen = [], {}
    while left and time.monotonic() < deadline:
        still = []
        for key, node in left:
            version, status = read(node.port, key)
            if version is not None and version < tally.acked.get(key, 0) and (key, node.number) not in seen:
                late.append({"key": key, "wanted": tally.acked[key], "got": version, "node": node.number, "cache_status": status})
            seen[key, node.number] = (version, status)
            # A write that was not acknowledged may be there all the same.
            tells = made.kind not in ("cache-only", "purged")
            if version is None or version < truth[key] or version > truth[key] and tells:
                still.append((key, node))
        left = still
        if left:
            time.sleep(0.3)
    lost = []
    for key, node in left:
        version, status = seen[key, node.number]
        unanswered = any(held.key == key for held in made.held)
        lost.append({"key": key, "truth": truth[key], "got": version, "node": node.number, "cache_status": status, "killed": unanswered})
    return lost, late


def read(port: int, key: str) -> tuple[int | None, str]:
    try:
        status, head, body = get(port, f"/{key[0]}/{key}")
    except OSError as problem:
        return None, str(problem)
    found = BODY.search(body)
    shown = head.lower().partition(b"\r\ncache-status: ")[2].split(b"\r\n")[0].decode("latin-1")
    return (int(found[1]) if found and status == 200 else None), shown or str(status)


def percentiles(times: array) -> list[float]:
    """The median and the 99th of a hundred, in milliseconds."""
    ordered = sorted(times) or [0.0]
    return [round(ordered[int((len(ordered) - 1) * share)] * 1000, 1) for share in (0.5, 0.99)]


@dataclass
class Result:
    """One line of the table."""

    row: Row
    options: Options
    made: Stand
    tally: Tally
    begun: float
    ended: float
    lost: list[dict]
    late: list[dict]
    trouble: str

    def violations(self) -> int:
        return len(self.tally.violations) + len(self.late)

    def share(self, begin: float, end: float) -> float | None:
        """The share of hits in a stretch of time."""
        reads = hits = 0
        for step in range(int(begin / STEP), int(end / STEP)):
            some = self.tally.course.get(step, (0, 0))
            reads, hits = reads + some[0], hits + some[1]
        return hits / reads if reads else None

    def shares(self) -> list[float | None]:
        """Before the first fault, while there were any, and in the two seconds after the last; without any, of all."""
        faults = self.made.faults
        if not faults:
            return [self.share(self.begun + 1, self.ended), None, None]
        last = faults[-1][1]
        return [self.share(self.begun + 1, faults[0][0]), self.during(), self.share(last, min(last + BACK, self.ended))]

    def during(self) -> float | None:
        some = [self.share(begin, end) for begin, end in self.made.faults]
        known = [share for share in some if share is not None]
        return sum(known) / len(known) if known else None

    def back(self) -> float | None:
        """How long after a fault half a second of many hits began, the worst of all faults that calm followed, in seconds;
        infinite where there was none."""
        worst = None
        nexts = [begin for begin, _ in self.made.faults[1:]] + [self.ended]
        for (_, end), following in zip(self.made.faults, nexts):
            if following - end < BACK + 0.5:
                continue
            begins = (end + number * STEP for number in range(int((following - end) / STEP) - STRETCH))
            good = (begin - end for begin in begins if (self.share(begin, begin + STRETCH * STEP) or 0) >= HITS)
            worst = max(worst or 0.0, next(good, float("inf")))
        return worst

    def failures(self) -> list[str]:
        """What breaks a bound."""
        found = [f"trouble: {self.trouble}"] if self.trouble else []
        judged = self.options.when_down not in self.row.forgiven
        if judged and self.violations():
            found.append("violations")
        if judged and self.lost:
            found.append("lost")
        if self.row.quiet and (self.shares()[0] or 0) < HITS:
            found.append("hits")
        back = self.back()
        if self.row.back and back is not None and back > BACK:
            found.append("back")
        return found

    def __str__(self) -> str:
        tally, failures = self.tally, self.failures()
        shares = " / ".join("-" if share is None else f"{share:4.0%}" for share in self.shares())
        back = self.back()
        gets, puts = ("/".join(f"{time:.1f}" for time in percentiles(times)) for times in (tally.gets, tally.puts))
        errors = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.errors.items())) or "none"
        held = f"; {len(self.made.held)} writes killed" if self.made.held else ""
        notes = f"; {', '.join(sorted(set(self.made.notes)))}" if self.made.notes else ""
        verdict = "ok" if not failures else "FAILED: " + ", ".join(failures)
        if self.options.when_down in self.row.forgiven and (self.violations() or self.lost):
            verdict += " (not judged)"
        return (
            f"{self.row.name:<20} {self.options.nodes:>5} {self.options.when_down:<9} {tally.reads:>7} {tally.writes:>6} "
            f"{self.violations():>10} {len(self.lost):>4}  {shares:<24} {'-' if back is None else f'{back:.1f} s':>6}  "
            f"{gets:>14} {puts:>14}  {errors}{held}{notes}  {verdict}"
        )

    def as_json(self) -> dict:
        back = self.back()
        return {
            "row": self.row.name,
            "what": self.row.what,
            "nodes": self.options.nodes,
            "when_down": self.options.when_down,
            "seed": self.options.seed,
            "reads": self.tally.reads,
            "hits": self.tally.hits,
            "writes": self.tally.writes,
            "violations": self.violations(),
            "lost": self.lost,
            "late": self.late,
            "errors": dict(self.tally.errors),
            "ways": dict(self.tally.ways),
            "shares": self.shares(),
            "back": None if back is None else str(back) if back == float("inf") else round(back, 2),
            "get_ms": percentiles(self.tally.gets),
            "put_ms": percentiles(self.tally.puts),
            "held": len(self.made.held),
            "notes": self.made.notes,
            "faults": [[round(begin - self.begun, 3), round(end - self.begun, 3)] for begin, end in self.made.faults],
            "seconds": round(self.ended - self.begun, 1),
            "failures": self.failures(),
        }
