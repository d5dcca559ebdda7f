"""StartingWeights: tensors that somebody trained before, with all that their files say about them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.architecture.architecture import State
from models.definition import resolve
from models.errors import ModelError
from models.folder.content import FolderContent, read
from models.folder.layout import locate
from models.folder.opened import OpenedFolder
from models.folder.timm_config import timm_config
from models.folder.verification import verify
from models.labels import Label
from training.errors import TrainingError


@dataclass(frozen=True, slots=True)
class StartingWeights:
    """Tensors by their names in `source`, a file or folder, whose sha256 in hexadecimal is that of the weights alone.

    `labels` and `model_name` are None where nothing says what they are. Tensors are mapped into memory: whoever keeps
    them makes a copy.
    """

    state: State
    source: str
    sha256: str
    labels: tuple[Label, ...] | None = None
    model_name: str | None = None


def read_weights(path: Path, *, labels: Sequence[Label] | None = None) -> StartingWeights:
    """Read a model folder in any layout that is served, safetensors, or a state dict, without running code from it.

    `labels` are those of weights that bring no description. TrainingError where nothing can be read.
    """
    try:
        with OpenedFolder(locate(path)) as files:
            verify(files)
            content = read(files)
            digest = _sha256(files)
        name, found = _described(content)
        state = _current(content)
    except ModelError as error:
        raise TrainingError(f"The weights to start from cannot be used: {error}") from None
    return StartingWeights(state, str(path), digest, _chosen(labels, found), name)


def _chosen(given: Sequence[Label] | None, found: tuple[Label, ...] | None) -> tuple[Label, ...] | None:
    return found if given is None else tuple(given)


def _described(content: FolderContent) -> tuple[str | None, tuple[Label, ...] | None]:
    """Return the name and the labels of a model that describes itself, or None for both."""
    plain = content.checkpoint.model_name is None
    if plain and content.manifest is None:
        if content.config is None:
            return None, None
        if not content.of_transformers:
            config = timm_config(content.config.content)
            # without names of its own, timm numbers the classes, which says nothing about them
            named = config.labels if content.config.content.get("label_names") else None
            return config.architecture or None, named
    definition = resolve(content)
    return definition.architecture.name, definition.labels


def _current(content: FolderContent) -> State:
    """Return the tensors under the names of today's networks; transformers renames those of older versions."""
    state = content.checkpoint.state
    return resolve(content).build(state).state_dict() if content.of_transformers else state


def _sha256(files: OpenedFolder) -> str:
    """Return the hash of the weights; for several files, that of their hashes in the order of their names."""
    if not files.shards:
        return files.sha256(files.folder.weights)
    return hashlib.sha256("".join(files.sha256(shard) for shard in files.shards).encode()).hexdigest()
