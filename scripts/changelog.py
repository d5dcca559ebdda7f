"""Fail if the changelog does not begin with the version in pyproject.toml."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Return 0 if the two agree, else 1 after an error message."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    if first is None or first[1] != version:
        found = first[1] if first else "no version"
        print(f"error: CHANGELOG.md begins with {found}, but pyproject.toml has {version}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
