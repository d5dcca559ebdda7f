"""Locating: finds the weights and their companions in every layout that training and registering leave behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError
from models.folder.archive import archive_name, refuse_archive
from models.folder.leftovers import entries, is_leftover
from models.folder.manifest import MANIFEST
from models.folder.signature import MLMODEL

# How weights end
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")

# Where model.pt lies under the folder that is given, the most complete layout first: an MLflow folder carries the
# settings.json that an operator edits, the bare file of a whole run output does not.
_PLACES = (
    "artifacts",
    "mlflow-model/artifacts",
    "outputs/mlflow-model/artifacts",
    ".",
    "outputs",
    "train_artifacts",
    # networks of transformers, as AutoML for Images and as MLflow itself lay them out
    "data/model",
    "mlflow-model/data/model",
    "outputs/mlflow-model/data/model",
    "model",
    "mlflow-model/model",
)
# Folders beside the one with the weights in which those layouts keep the image processor
_PROCESSORS = ("tokenizer", "components/image_processor", "components/feature_extractor", "components/processor")
# What transformers calls the list of files that it splits large weights into
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# Files with these stems are the weights, even beside others that end like weights
_STEMS = ("model", "pytorch_model")
_DEEPEST = 3
_MOST_LISTED = 8  # entries of a folder that holds no model
# Where an MLflow folder holds the weights, below its MLmodel
_INSIDE = ("artifacts", "model", "data/model")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """Where the files of one model lie; none of them has been parsed.

    `root` is what the operator named, `weights` the checkpoint found in it, or the index of weights in several files.
    `config` is the config.json of timm or of transformers. `processor` is the preprocessor_config.json of transformers,
    `joint_processor` the processor_config.json beside that, which may hold the same within more.
    """

    root: Path
    weights: Path
    settings: Path | None
    manifest: Path | None
    config: Path | None
    processor: Path | None
    joint_processor: Path | None
    mlmodel: Path | None

    @property
    def index(self) -> Path | None:
        """The list of the files that hold the weights; None where a single file does."""
        return self.weights if self.weights.suffix == ".json" else None

    @property
    def used(self) -> tuple[Path, ...]:
        """The files that decide what the model says: neither the manifest nor the files that an index lists."""
        optional = (self.settings, self.config, self.processor, self.joint_processor)
        return (self.weights, *(file for file in optional if file is not None))


def locate(path: Path) -> ModelFolder:
    """Find a model in `path`: a checkpoint file, or a folder in any known layout. Leftovers in folders are ignored.

    ModelError where nothing is found or the choice is not clear; the message lists what is there.
    """
    try:
        return _located(path)
    except OSError as error:
        raise ModelError(f"{error.filename or path} cannot be read: {error.strerror}.") from None


def _located(path: Path) -> ModelFolder:
    if path.is_file():
        with path.open("rb") as stream:
            refuse_archive(path, stream)
        return _around(path.parent, path)
    if not path.is_dir():
        raise ModelError(f"The model folder {path} does not exist. Name a folder or a checkpoint file.")
    for home, folder in _candidates(path):
        weights = _weights_in(folder)
        if weights is not None:
            return _around(path, weights, _first(home / MANIFEST))
    for file in entries(path)[:_MOST_LISTED]:
        if file.is_file() and (packed := _archive(file)) is not None:
            raise ModelError(f"{path} holds no model. {file.name} in it is {packed}: unpack it first.")
    raise ModelError(
        f"{path} holds no model. Expected model.pt or model.safetensors in it, in outputs/ or in "
        f"mlflow-model/artifacts/; found {_listing(path)}."
    )


def _around(root: Path, weights: Path, manifest: Path | None = None) -> ModelFolder:
    beside = weights.parent
    processor = _first(
        *(place / "preprocessor_config.json" for place in (beside, *map(beside.parent.joinpath, _PROCESSORS)))
    )
    return ModelFolder(
        root=root,
        weights=weights,
        settings=_first(beside / "settings.json"),
        manifest=manifest or _first(beside / MANIFEST),
        config=_first(beside / "config.json"),
        processor=processor,
        joint_processor=_first(processor.with_name("processor_config.json")) if processor else None,
        mlmodel=_first(
            *(home / MLMODEL for home in (beside, *(_above(beside, part) for part in _INSIDE)) if home is not None)
        ),
    )


def _above(folder: Path, part: str) -> Path | None:
    """Return the folder that holds `folder` as `part`; None where it has another name."""
    names = Path(part).parts
    return folder.parents[len(names) - 1] if folder.parts[-len(names) :] == names else None


def _candidates(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (model folder, folder in it that may hold weights), also of a folder that holds nothing but a folder."""
    for _ in range(_DEEPEST):
        yield from ((path, path / place) for place in _PLACES)
        inner = [entry for entry in entries(path) if entry.is_dir()]
        if len(inner) != 1:
            return
        path = inner[0]


def _weights_in(folder: Path) -> Path | None:
    if not folder.is_dir():
        return None
    files = [entry for entry in entries(folder) if entry.suffix in SUFFIXES and entry.is_file()]
    stems = [[file for file in files if file.stem == stem] for stem in _STEMS]
    indexes = [folder / name for name in _INDEXES if (folder / name).is_file()]
    named = next((found for found in (*stems, indexes[:1]) if found), files)
    if len(named) > 1:
        names = ", ".join(file.name for file in named)
        raise ModelError(f"{folder} holds several checkpoints ({names}). Name the file itself, or keep only one.")
    return named[0] if named else None


def _first(*files: Path) -> Path | None:
    return next((file for file in files if file.is_file()), None)


def _archive(file: Path) -> str | None:
    with file.open("rb") as stream:
        return archive_name(stream)


def _listing(path: Path) -> str:
    found = sorted(path.iterdir(), key=lambda entry: (is_leftover(entry.name), entry.name))
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in found]
    shown = ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")
    return shown or "an empty folder"
