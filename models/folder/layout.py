"""ModelFolder: finds the weights and their companions in every layout that training and registering leave behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError
from models.folder.manifest import MANIFEST
from models.folder.signature import MLMODEL
from settings.errors import SettingsError
from settings.load import read_json_object

# Where model.pt lies under the folder that is given, the most complete layout first: an MLflow folder carries the
# settings.json that an operator edits, the bare file of a whole run output does not.
_PLACES = (
    "artifacts",
    "mlflow-model/artifacts",
    "outputs/mlflow-model/artifacts",
    ".",
    "outputs",
    "train_artifacts",
    # of networks of transformers: as AutoML for Images and as MLflow itself lay them out
    "data/model",
    "mlflow-model/data/model",
    "outputs/mlflow-model/data/model",
    "model",
    "mlflow-model/model",
)
# Folders beside the one with the weights in which those lay out the image processor
_PROCESSORS = ("tokenizer", "components/image_processor", "components/feature_extractor", "components/processor")
_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
# What transformers calls the list of files that it splits large weights into
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# Files that are weights by their name, before others that only end like weights
_STEMS = ("model", "pytorch_model")
_DEEPEST = 3
# Where an MLflow folder holds them, below its MLmodel
_INSIDE = ("artifacts", "model", "data/model")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The files of one model. `root` is what the operator named, `weights` the checkpoint found in it.

    `config` is the config.json of timm or of transformers, `processor` what transformers says of preparing pictures.
    Weights in several files have an index, which is `weights` then.
    """

    root: Path
    weights: Path
    settings: Path | None
    manifest: Path | None
    config: Path | None
    processor: Path | None
    mlmodel: Path | None

    @property
    def used(self) -> tuple[Path, ...]:
        """All files that decide what the model says but for the manifest; ModelError for an index that is none."""
        optional = (self.settings, self.config, self.processor)
        return (self.weights, *shards(self.weights), *(file for file in optional if file is not None))

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
            config=_first(beside / "config.json"),
            processor=_first(
                *(place / "preprocessor_config.json" for place in (beside, *map(beside.parent.joinpath, _PROCESSORS)))
            ),
            mlmodel=_first(
                *(home / MLMODEL for home in (beside, *(_above(beside, part) for part in _INSIDE)) if home is not None)
            ),
        )


def _above(folder: Path, part: str) -> Path | None:
    """Return the folder that holds `folder` as `part`; None where it is called otherwise."""
    names = Path(part).parts
    return folder.parents[len(names) - 1] if folder.parts[-len(names) :] == names else None


def shards(weights: Path) -> tuple[Path, ...]:
    """Return the files that an index lists, none for other weights; ModelError for an index that is none."""
    if not weights.name.endswith(".json"):
        return ()
    try:
        names = set(read_json_object(weights)["weight_map"].values())
        files = tuple(sorted(weights.with_name(Path(name).name) for name in names))
    except SettingsError as error:
        raise ModelError(str(error)) from None
    except (KeyError, AttributeError, TypeError):
        files = ()
    if not files:
        raise ModelError(
            f'{weights} lists no files of weights. Expected {{"weight_map": {{TENSOR: FILE, ...}}}}, as transformers '
            "writes it. Save the model again."
        )
    return files


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
    stems = [[file for file in files if file.stem == stem] for stem in _STEMS]
    indexes = [folder / name for name in _INDEXES if (folder / name).is_file()]
    named = next((found for found in (*stems, indexes[:1]) if found), files)
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
