"""FolderIndex: finds files in folders by the ends of their paths."""

import os
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock


class FolderIndex:
    """All files below some folders, but for hidden folders and links to folders. They are listed at the first look."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._lock = Lock()

    def candidates(self, path: str) -> list[Path]:
        """Return the files whose paths end in the most parts of `path`, at least in its last one; each file once."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if not parts or ".." in parts:
            return []
        with self._lock:
            named = self._by_name.get(parts[-1], [])
        shared = {file: _common_end(file.parts, parts) for file in named}
        longest = max(shared.values(), default=0)
        return sorted({file.resolve() for file, count in shared.items() if count == longest})

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found = defaultdict(list)
        for folder in self._folders:
            for place, folders, files in os.walk(folder):
                folders[:] = [name for name in folders if not name.startswith(".")]
                for name in files:
                    found[name].append(Path(place, name))
        return found


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        count += 1
    return count
