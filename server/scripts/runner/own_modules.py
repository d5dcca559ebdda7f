"""OwnModules: hides the server's modules from a script where they are installed among the packages that it may use."""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

NAMES = ("settings", "models", "explain", "server", "data", "training")


class OwnModules(MetaPathFinder):
    """Finds modules of our names everywhere but in `folder`, the site-packages that hold ours.

    Else a script with a plain folder `models` beside it, without an `__init__.py`, would get ours.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return where a module of one of our names lies. ModuleNotFoundError where none is but ours."""
        if name not in NAMES:
            return None
        elsewhere = [entry for entry in sys.path if os.path.realpath(entry) != self._folder]
        finders: list[Any] = [finder for finder in sys.meta_path if finder is not self]
        for finder in finders:
            found = finder.find_spec(name, elsewhere if finder is PathFinder else path, target)
            if found is not None:
                return found  # type: ignore[no-any-return]
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
