"""Throw mutated bodies at everything that parses what strangers send: python -m benchmarks.fuzz --count 100000.

Each parser has a process of its own. A body that makes one raise what it does not declare, hang or crash is kept, and
the command ends with 1.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.fuzz.alone import run_alone
from benchmarks.fuzz.targets import targets
from benchmarks.report import RESULTS


def main(arguments: list[str] | None = None) -> int:
    """Fuzz the targets asked for; print a row for each, and return 1 where any failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", help=f"some of {', '.join(targets())}; all without any")
    parser.add_argument("--count", type=int, default=100_000, help="bodies for each")
    parser.add_argument("--seed", type=int, default=0, help="another one, other bodies")
    parser.add_argument("--keep", type=Path, default=RESULTS / "fuzz", help="where bodies go that a parser failed on")
    options = parser.parse_args(arguments)
    if unknown := set(options.targets) - set(targets()):
        parser.error(f"there is no target {sorted(unknown)[0]!r}")
    failed = False
    for name in options.targets or targets():
        found = run_alone(name, options.count, options.seed, options.keep)
        print(_row(name, options.count, found), flush=True)
        failed = failed or bool(found["failures"])
    if failed:
        print(f"the bodies are in {options.keep}")
    return int(failed)


def _row(name: str, count: int, found: dict[str, Any]) -> str:
    if "outcomes" not in found:
        return f"{name}: {', '.join(found['failures'])}"
    outcomes = ", ".join(
        f"{outcome} {number}" for outcome, number in sorted(found["outcomes"].items(), key=lambda item: -item[1])
    )
    failures = "".join(f"\n  FAILED {number} times: {kind}" for kind, number in found["failures"].items())
    return (
        f"{name}: {count} bodies in {found['seconds']:.0f} s; slowest {1000 * found['slowest_s']:.0f} ms "
        f"({found['slowest_bytes']} bytes); memory grew by {found['grown_bytes'] / 2**20:.1f} MiB\n"
        f"  {outcomes}{failures}"
    )


if __name__ == "__main__":
    sys.exit(main())
