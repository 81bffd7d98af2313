"""Checks the promise over real processes, a row for each fault, and prints a line for each; exit code 1 where a row failed.

    run.py [--rows NAME,…] [--nodes N,…] [--when-down forward,refuse] [--seconds S] [--reads N] [--list] [--json FILE]
"""

import argparse
import json
import random
import signal
import sys
import time
from pathlib import Path

from measure import HEAD, Result, document, settle
from rows import ROWS, Row
from servers import NotStarted, Ports
from stand import Clients, Options, Stand, stand

# Calm before the first fault and after the last one, in seconds.
BEFORE, AFTER = 2.5, 3.0
# A row gives up waiting for its reads after so many times its seconds.
AT_MOST = 4


def run_row(row: Row, options: Options) -> Result:
    """One row with one setting."""
    with stand(options, row.kind) as made:
        clients, begun = Clients(made), time.monotonic()
        time.sleep(BEFORE)
        trouble = faults(row, made, clients, begun)
        if row.back:
            time.sleep(AFTER)
        ended = time.monotonic()
        tally = clients.stop()
        lost, late = settle(made, tally)
        return Result(row, options, made, tally, begun, ended, lost, late, trouble)


def faults(row: Row, made: Stand, clients: Clients, begun: float) -> str:
    """Does the row's rounds; what went wrong in the doing comes back."""
    done = 0
    try:
        while True:
            row.round(made)
            done += 1
            took = time.monotonic() - begun
            enough = clients.reads.value >= made.options.reads and took >= made.options.seconds and done >= (row.rounds or 1)
            if enough or took >= AT_MOST * made.options.seconds and done >= (row.rounds or 1):
                return ""
    except (OSError, TimeoutError, NotStarted) as problem:
        return f"{type(problem).__name__}: {problem}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=lambda text: text.split(","), help="only these rows, by name, with commas in between")
    parser.add_argument("--skip", type=lambda text: text.split(","), default=[], help="all rows but these")
    parser.add_argument("--nodes", type=lambda text: [int(number) for number in text.split(",")], help="how many, for every row")
    parser.add_argument("--when-down", type=lambda text: text.split(","), default=["forward", "refuse"])
    parser.add_argument("--seconds", type=float, default=20, help="how long a row lasts at least (default: 20)")
    parser.add_argument("--reads", type=int, default=100_000, help="how many reads it has at least (default: 100000)")
    parser.add_argument("--ports", default="20000-31999", help="ports for the servers (default: 20000-31999)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of the clients' choices")
    parser.add_argument("--list", action="store_true", help="prints the rows and stops")
    parser.add_argument("--json", type=Path, help="a file for the results, as JSON")
    parser.add_argument("--document", type=Path, help="a Markdown file that has a place for the figures")
    parser.add_argument("--saved", type=Path, nargs="+", metavar="FOLDER", help="runs nothing: takes the figures from the logs there")
    parser.add_argument("--logs", type=Path, default=Path("target/coherence"), help="a folder for logs and violations")
    options = parser.parse_args()
    unknown = {*(options.rows or []), *options.skip} - {row.name for row in ROWS}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(row.name for row in ROWS)}")
    return options


def main() -> int:
    chosen = arguments()
    if chosen.list:
        for row in ROWS:
            print(f"{row.name:<20} {row.what}")
        return 0
    if chosen.saved:
        figures = [json.loads(file.read_text()) for folder in chosen.saved for file in sorted(folder.glob("*/result.json"))]
        order = {row.name: at for at, row in enumerate(ROWS)}
        figures.sort(key=lambda one: (one["when_down"], order[one["row"]], one["nodes"]))
        if chosen.document:
            chosen.document.write_text(document(chosen.document.read_text(), figures))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    first, last = map(int, chosen.ports.split("-"))
    ports, begun, results, failed = Ports(first, last), time.monotonic(), [], 0
    print(f"seed {chosen.seed}\n{HEAD}", flush=True)
    for row in ROWS:
        if row.name in chosen.skip or chosen.rows and row.name not in chosen.rows:
            continue
        for nodes in chosen.nodes or row.nodes:
            for when_down in chosen.when_down:
                logs = chosen.logs.absolute() / f"{row.name}-{nodes}-{when_down}"
                random.seed(chosen.seed)
                options = Options(nodes, when_down, chosen.seconds, chosen.reads, chosen.seed, ports, logs)
                try:
                    results.append(run_row(row, options))
                except (OSError, TimeoutError, NotStarted) as problem:
                    print(f"{row.name:<20} {nodes:>5} {when_down:<9} FAILED: {problem}", flush=True)
                    failed += 1
                    continue
                print(results[-1], flush=True)
                (logs / "result.json").write_text(json.dumps(results[-1].as_json(), indent=1) + "\n")
                if chosen.json:
                    chosen.json.write_text(json.dumps([result.as_json() for result in results], indent=1) + "\n")
    if chosen.document:
        chosen.document.write_text(document(chosen.document.read_text(), [result.as_json() for result in results]))
    passed = sum(not result.failures() for result in results)
    failed += len(results) - passed
    print(f"\n{passed} passed, {failed} failed, {time.monotonic() - begun:.0f} s; logs in {chosen.logs}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
