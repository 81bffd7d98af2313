"""Runs the checks and prints their table; exit code 1 if a bound is broken.

    run.py --gunicorn PATH [CHECK...]
"""

import argparse
import resource
import signal
import sys
import time

import abandoned
import collapsed
import connections
import curl
import flood
import growth
import h2spec
import log_lines
import memory
import slow
import slowhttptest
import stopping
import streams
import unread

CHECKS = {
    "memory": memory,
    "unread": unread,
    "growth": growth,
    "flood": flood,
    "connections": connections,
    "slow": slow,
    "streams": streams,
    "stopping": stopping,
    "collapsed": collapsed,
    "abandoned": abandoned,
    "log_lines": log_lines,
    "slowhttptest": slowhttptest,
    "curl": curl,
    "h2spec": h2spec,
}


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gunicorn", required=True)
    arguments.add_argument("checks", nargs="*", metavar="CHECK")
    options = arguments.parse_args()
    unknown = [name for name in options.checks if name not in CHECKS]
    if unknown:
        arguments.error(f"no such check: {' '.join(unknown)}; there are {' '.join(CHECKS)}")
    # So that what was started is stopped, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    begun, failed, count = time.monotonic(), 0, 0
    print(f"{'what':<82} {'measured':<38} {'bound':<24}")
    for name in options.checks or CHECKS:
        print(f"── {name}")
        for row in CHECKS[name].rows(options):
            print(row, flush=True)
            count, failed = count + 1, failed + (row.ok is False)
    print(f"\n{count} rows, {failed} bounds broken, {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
