"""Finding the weights that a training starts from: named ones, a folder of weights, caches of libraries, downloads."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from models.labels import Label
from training.errors import TrainingError
from training.hyperparameters.resolution import is_saved_model
from training.weights.library_files import LibraryFiles, backbone_of, library_files
from training.weights.starting_weights import StartingWeights, read_weights

ROOT = Path("weights")
"""The folder in which weights are looked for by the names of models."""

_SUFFIXES = ("", ".safetensors", ".pth", ".pt")
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_TAIL = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


def find_weights(
    given: str | None,
    model_name: str,
    *,
    roots: Sequence[Path] = (ROOT,),
    model_size: str | None = None,
    download: bool = False,
) -> StartingWeights | None:
    """Return the weights for a model, or None where there are none.

    `given` is a file or folder, and nothing else is looked at then. Otherwise the first is taken of: `roots` by the
    name of the model, and for yolov5 with its `model_size`, such as yolov5-small; the folder of a model of
    transformers itself; the caches of torch and of Hugging Face; with `download`, the library that publishes them. A
    detector that has none takes those of its backbone. TrainingError where weights that were found cannot be used.
    """
    if given is not None:
        return read_weights(Path(given))
    for name in (model_name, backbone_of(model_name)):
        if name is not None and (path := _in_roots(name, roots, model_size)) is not None:
            return read_weights(path)
        if name is not None and (found := _of_library(name, download)) is not None:
            return found
    return None


def _in_roots(model_name: str, roots: Sequence[Path], model_size: str | None) -> Path | None:
    if is_saved_model(Path(model_name)):
        return Path(model_name)
    names = [f"{model_name}-{model_size}", model_name] if model_size else [model_name]
    paths = (root / f"{name}{suffix}" for root in roots for name in names for suffix in _SUFFIXES)
    return next((path for path in paths if path.exists()), None)


def _of_library(model_name: str, download: bool) -> StartingWeights | None:
    files = library_files(model_name)
    if files is None:
        return None
    for path in _cached(files):
        return _library_weights(path, files.labels)
    return _library_weights(_downloaded(model_name, files), files.labels) if download else None


def _library_weights(path: Path, labels: Sequence[Label] | None) -> StartingWeights:
    found = read_weights(path, labels=labels or ())
    _check_tail(path, found.sha256)
    return StartingWeights(found.state, found.source, found.sha256, found.labels or None)


def _check_tail(path: Path, digest: str) -> None:
    """Raise TrainingError for a file whose name ends with the start of another hash, as publishers name them."""
    tail = _TAIL.search(path.name)
    if tail is not None and not digest.startswith(tail[1]):
        raise TrainingError(
            f"{path} is damaged: its sha256 begins with {digest[: len(tail[1])]}, its name says {tail[1]}. Remove it, "
            "or copy it again."
        )


def _cached(files: LibraryFiles) -> Iterator[Path]:
    yield from (path for name in files.names if (path := _torch_cache() / name).is_file())
    if files.hub is not None:
        from huggingface_hub import try_to_load_from_cache

        for name in _HUB_FILES:
            cached = try_to_load_from_cache(files.hub, name)
            if isinstance(cached, str):
                yield Path(cached)


def _torch_cache() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _downloaded(model_name: str, files: LibraryFiles) -> Path:
    """Return the file after having fetched it into the cache of its library; TrainingError where that fails."""
    try:
        if files.url is not None:
            path = _torch_cache() / files.names[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            tail = _TAIL.search(path.name)
            torch.hub.download_url_to_file(files.url, str(path), tail[1] if tail else None, progress=False)
            return path
        if files.hub is not None:
            return _from_hub(files.hub)
    except Exception as error:  # libraries of HTTP raise types of their own
        where = files.url or f"{files.hub} of the Hugging Face hub"
        raise TrainingError(
            f"The weights of {model_name} cannot be had from {where}: {error}. Copy a file of weights to this machine "
            "and name it with --weights, or train without --download from random weights."
        ) from None
    raise TrainingError(f"No library publishes weights of {model_name}. Name a file with --weights.")


def _from_hub(repository: str) -> Path:
    from huggingface_hub import constants, hf_hub_download

    # Whoever loads folders of transformers keeps that library offline; here somebody asked for a download
    offline, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, False
    try:
        return Path(hf_hub_download(repository, _HUB_FILES[0]))
    finally:
        constants.HF_HUB_OFFLINE = offline
