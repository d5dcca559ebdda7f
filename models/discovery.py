"""Finds what a catalog folder offers: one constant per file, and no second list to maintain."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any


def constants(package: ModuleType, constant: str) -> Iterator[tuple[str, Any]]:
    """Yield (file stem, value of `constant`) for each module in the folder of `package`, by name."""
    for module in sorted(iter_modules(package.__path__), key=lambda entry: entry.name):
        yield module.name, getattr(import_module(f"{package.__name__}.{module.name}"), constant)
