"""Send mutated bodies to everything that parses what strangers send: python -m benchmarks.fuzz --count 100000.

Each parser has a process of its own. The command keeps the bodies that make a parser raise an error that it does not
declare, hang or crash, and then ends with 1.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.fuzz.run import FuzzTally, run_alone
from benchmarks.fuzz.targets import targets
from benchmarks.harness.report import RESULTS


def main(arguments: list[str] | None = None) -> int:
    """Fuzz the targets asked for; print a row for each, and return 1 where any failed."""
    known = targets()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", help=f"some of {', '.join(known)}; all by default")
    parser.add_argument("--count", type=int, default=100_000, help="bodies for each target")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other bodies")
    parser.add_argument("--keep", type=Path, default=RESULTS / "fuzz", help="where to keep the bodies of failures")
    options = parser.parse_args(arguments)
    if unknown := set(options.targets) - set(known):
        parser.error(f"there is no target {sorted(unknown)[0]!r}")
    failed = False
    for name in options.targets or known:
        tally = run_alone(known[name], options.count, options.seed, options.keep)
        print(_row(name, tally), flush=True)
        failed = failed or bool(tally.failures)
    if failed:
        print(f"the bodies are in {options.keep}")
    return int(failed)


def _row(name: str, tally: FuzzTally) -> str:
    outcomes = ", ".join(f"{outcome} {number}" for outcome, number in tally.outcomes.most_common())
    failures = "".join(f"\n  FAILED {number} times: {kind}" for kind, number in tally.failures.items())
    return (
        f"{name}: {tally.outcomes.total() + tally.failures.total()} bodies in {tally.seconds:.0f} s; "
        f"slowest {1000 * tally.slowest_s:.0f} ms ({tally.slowest_bytes} bytes); "
        f"memory grew by {tally.grown_bytes / 2**20:.1f} MiB\n  {outcomes}{failures}"
    )


if __name__ == "__main__":
    sys.exit(main())
