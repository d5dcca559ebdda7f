"""ModelFolder: finds the weights and their companions in every layout that training and registering leave behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError
from models.manifest import MANIFEST

# Where model.pt lies under the folder that is given, the most complete layout first: an MLflow folder carries the
# settings.json that an operator edits, the bare file of a whole run output does not.
_PLACES = (
    "artifacts",
    "mlflow-model/artifacts",
    "outputs/mlflow-model/artifacts",
    ".",
    "outputs",
    "train_artifacts",
)
_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_DEEPEST = 3
_TIMM_CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The files of one model. `root` is what the operator named, `weights` the checkpoint found in it."""

    root: Path
    weights: Path
    settings: Path | None
    manifest: Path | None
    timm_config: Path | None

    @classmethod
    def open(cls, path: Path) -> "ModelFolder":
        """Find a model in `path`: a checkpoint file, or a folder in any known layout.

        ModelError where nothing is found or the choice is not clear; the message lists what was seen.
        """
        if path.is_file():
            return cls._around(path.parent, path)
        if not path.is_dir():
            raise ModelError(f"The model folder {path} does not exist. Name a folder or a checkpoint file.")
        for home, folder in _candidates(path):
            weights = _weights_in(folder)
            if weights is not None:
                return cls._around(path, weights, _first(home / MANIFEST))
        raise ModelError(
            f"{path} holds no model. Expected model.pt or model.safetensors in it, in outputs/ or in "
            f"mlflow-model/artifacts/; found {_listing(path)}."
        )

    @classmethod
    def _around(cls, root: Path, weights: Path, manifest: Path | None = None) -> "ModelFolder":
        beside = weights.parent
        return cls(
            root=root,
            weights=weights,
            settings=_first(beside / "settings.json"),
            manifest=manifest or _first(beside / MANIFEST),
            timm_config=_first(beside / _TIMM_CONFIG),
        )


def _candidates(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (model folder, folder in it that may hold weights); one that holds just a folder is looked through."""
    for _ in range(_DEEPEST):
        yield from ((path, path / place) for place in _PLACES)
        inner = [entry for entry in sorted(path.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
        if len(inner) != 1:
            return
        path = inner[0]


def _weights_in(folder: Path) -> Path | None:
    if not folder.is_dir():
        return None
    files = [entry for entry in sorted(folder.iterdir()) if entry.suffix in _SUFFIXES and entry.is_file()]
    named = [file for file in files if file.stem == "model"] or files
    if len(named) > 1:
        names = ", ".join(file.name for file in named)
        raise ModelError(f"{folder} holds several checkpoints ({names}). Name the file itself, or keep only one.")
    return named[0] if named else None


def _first(*files: Path) -> Path | None:
    return next((file for file in files if file.is_file()), None)


def _listing(path: Path) -> str:
    names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in path.iterdir())
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return shown or "an empty folder"
