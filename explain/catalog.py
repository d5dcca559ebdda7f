"""Finds algorithms by name."""

from importlib import import_module

from explain import algorithms
from explain.algorithm import Algorithm
from explain.errors import ExplanationError
from explain.request.parameter_types import Explained
from models.discovery import constants
from settings.expectation import did_you_mean


def algorithm_names(kind: Explained | None = None) -> tuple[str, ...]:
    """List the names that `algorithm` accepts: all, or those that suit a kind of what is served."""
    return tuple(name for name, found in constants(algorithms, "ALGORITHM") if kind is None or kind in found.explains)


def algorithm_summary(name: str) -> str:
    """Return what a known algorithm shows, in one sentence: the first line of its file."""
    return (import_module(f"{algorithms.__name__}.{name}").__doc__ or "").partition("\n")[0]


def algorithm(name: str) -> Algorithm:
    """Return the algorithm `name`; ExplanationError with near matches where there is none."""
    known: dict[str, Algorithm] = dict(constants(algorithms, "ALGORITHM"))
    if name not in known:
        raise ExplanationError(
            "algorithm_unknown", f"No algorithm {name!r}. Known: {', '.join(known)}.{did_you_mean(name, known)}"
        )
    return known[name]
