"""Finds architectures by the names that checkpoints give them."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from models import architectures
from models.architecture.architecture import Architecture, ClassifierArchitecture, Family
from models.discovery import constants
from models.errors import ModelError
from models.huggingface.saved import SavedModel
from settings.expectation import did_you_mean


def architecture_names() -> tuple[str, ...]:
    """List every name `architecture` accepts; one with a `*` in it stands for all that a library knows."""
    return tuple(name for family in _families() for name in family.names)


def architecture(name: str) -> Architecture:
    """Return the architecture that checkpoints call `name`; ModelError with near matches where there is none."""
    return _family(name).architecture(name)


def saved_architecture(model: SavedModel) -> Architecture:
    """Return the architecture of a folder of transformers; ModelError where its network is of no use here."""
    family = _family(model.name)
    assert family.saved is not None
    return family.saved(model)


def classifier_architecture(name: str) -> ClassifierArchitecture:
    """Return the architecture that checkpoints call `name`; ModelError where there is none, or it finds objects."""
    found = architecture(name)
    if not isinstance(found, ClassifierArchitecture):
        raise ModelError(f"The architecture {name!r} is for {' or '.join(found.tasks)}; expected one that classifies.")
    return found


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
