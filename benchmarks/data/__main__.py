"""python -m benchmarks.data [checks|conversions]: what it takes to check labelled images, and to convert them."""

import sys

from benchmarks.data import checks, conversions

_PARTS = {"checks": checks.main, "conversions": conversions.main}


def main() -> None:
    """Run the part that the first argument names, which takes the others, or all parts."""
    if chosen := _PARTS.get("".join(sys.argv[1:2])):
        del sys.argv[1]
        chosen()
        return
    for part in _PARTS.values():
        part()


if __name__ == "__main__":
    main()
