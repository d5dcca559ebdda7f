"""Finds architectures by their names in checkpoints."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from models import architectures
from models.architecture.architecture import Architecture, ClassifierArchitecture, Family
from models.discovery import constants
from models.errors import ModelError
from models.huggingface.saved import SavedModel
from settings.expectation import did_you_mean


def architecture_names() -> tuple[str, ...]:
    """List every name that `architecture` accepts; a `*` stands for the names that a library knows."""
    return tuple(name for family in _families() for name in family.names)


def architecture(name: str) -> Architecture:
    """Return the architecture with this name in checkpoints; ModelError with near matches where there is none."""
    return _family(name).architecture(name)


def saved_architecture(model: SavedModel) -> Architecture:
    """Return the architecture of a folder of transformers; ModelError where its network is not supported."""
    family = _family(model.name)
    assert family.saved is not None
    return family.saved(model)


def classifier_architecture(name: str) -> ClassifierArchitecture:
    """Return the architecture with this name; ModelError where there is none, or where it detects objects."""
    named = architecture(name)
    if not isinstance(named, ClassifierArchitecture):
        raise ModelError(f"The architecture {name!r} is for {' or '.join(named.tasks)}; expected one that classifies.")
    return named


def _family(name: str) -> Family:
    for family in _families():
        if any(fnmatchcase(name, pattern) for pattern in family.names):
            return family
    known = architecture_names()
    raise ModelError(
        f"The architecture {name!r} is not known. Known: {', '.join(known)}.{did_you_mean(name.lower(), known)}"
    )


def _families() -> Iterator[Family]:
    return (family for _, family in constants(architectures, "FAMILY"))
