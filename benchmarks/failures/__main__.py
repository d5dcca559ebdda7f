"""Run the failures that the server claims to survive: python -m benchmarks.failures.

Each row says what was expected, what was seen, and how many requests were lost. Other servers get those that make sense
for them. The command ends with 1 where a row of ours is not met. Its JSON goes to benchmarks/results/;
`python -m scripts.reliability` puts it into the docs.
"""

import argparse
import sys
from collections import Counter
from dataclasses import asdict

from benchmarks.failures.attacked_server import OURS
from benchmarks.failures.suite import FailureRow, planned, run_suite
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from benchmarks.peers.environment import python_of
from benchmarks.peers.peer_server import COMMANDS

_MINUTES = 15.0
_REQUESTS = 100_000


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; print a row for each, and return 1 where ours misses any."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.failures", description=__doc__.split("\n")[0])
    parser.add_argument("--peers", default="", help="servers beside ours, separated by commas")
    parser.add_argument("--only", default="", help="files of families, or words of scenarios, separated by commas")
    parser.add_argument("--requests", type=int, default=_REQUESTS, help="fuzzed bodies, and mixed requests, at most")
    parser.add_argument("--repeats", type=int, default=10, help="how often to kill in a row")
    parser.add_argument(
        "--minutes", type=float, help=f"end within them; by default {_MINUTES:.0f} for each {_REQUESTS} requests"
    )
    parser.add_argument("--no-report", action="store_true", help="write no JSON")
    options = parser.parse_args(arguments)
    peers = [name for name in options.peers.split(",") if name]
    if unknown := set(peers) - set(COMMANDS):
        parser.error(f"there is no peer {sorted(unknown)[0]!r}; known: {', '.join(COMMANDS)}")
    runs = planned([OURS, *peers], [word for word in options.only.split(",") if word])
    if not runs:
        parser.error(f"nothing is named {options.only!r}")
    for peer in peers:
        python_of(peer)  # installed before the clock starts
    minutes = options.minutes or _MINUTES * max(1.0, options.requests / _REQUESTS)
    rows: list[FailureRow] = []
    for row in run_suite(runs, seconds=60 * minutes, requests=options.requests, repeats=options.repeats):
        rows.append(row)
        _print_row(row)
    verdicts = Counter((row.server, row.verdict) for row in rows)
    for (server, verdict), number in sorted(verdicts.items()):
        print(f"{server}: {number} {verdict}")
    if not options.no_report:
        content = {"machine": describe_machine(), "options": vars(options), "rows": [asdict(row) for row in rows]}
        write_report("failures", content)
    return int(verdicts[(OURS, "missed")] > 0)


def _print_row(row: FailureRow) -> None:
    lost = f"lost {row.lost} of {row.requests}" if row.requests else "no requests counted"
    print(
        f"{row.verdict.upper():<8}{row.server}: {row.scenario} ({row.seconds:.0f} s)\n"
        f"    expected: {row.expected}\n    seen: {row.seen}\n    {lost}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
