"""Reading: parses the files of a model folder, once all of them are open and verified."""

from dataclasses import dataclass
from pathlib import Path

from models.architecture.architecture import State
from models.errors import ModelError
from models.folder.checkpoint import Checkpoint, read_checkpoint
from models.folder.layout import ModelFolder
from models.folder.manifest import Manifest
from models.folder.opened import OpenedFolder
from models.folder.signature import Signature, is_of_transformers, parse_signature
from models.huggingface.config import PREFIX, saved_by_transformers
from settings.json_file import JsonFile


@dataclass(frozen=True, slots=True)
class FolderContent:
    """What the files of a model folder say, parsed; nothing of it has been compared with anything else.

    `used` are the files that decide what the model says. `config` is None where the checkpoint describes itself.
    `of_transformers` says that `config` describes the network in the keys of transformers; only then is there a
    `processor`. `of_mlflow_transformers` says that MLmodel says so, too.
    """

    folder: ModelFolder
    used: tuple[Path, ...]
    checkpoint: Checkpoint
    manifest: Manifest | None
    settings: JsonFile | None
    config: JsonFile | None
    of_transformers: bool
    processor: JsonFile | None
    signature: Signature
    of_mlflow_transformers: bool


def read(files: OpenedFolder) -> FolderContent:
    """Parse the files of a folder. ModelError or SettingsError names a file that cannot be read."""
    folder, manifest, checkpoint = files.folder, files.manifest, _checkpoint(files)
    plain = checkpoint.model_name is None
    config = files.json(folder.config) if folder.config is not None and plain else None
    mlmodel = folder.mlmodel
    described = files.content(mlmodel) if mlmodel is not None else None
    of_transformers = saved_by_transformers(config) and (manifest is None or manifest.architecture.startswith(PREFIX))
    return FolderContent(
        folder,
        files.used,
        checkpoint,
        manifest,
        JsonFile.parse(folder.settings, files.content(folder.settings)) if folder.settings is not None else None,
        config,
        of_transformers,
        _processor(files) if of_transformers else None,
        parse_signature(mlmodel, described) if mlmodel is not None and described is not None else Signature(),
        of_transformers and mlmodel is not None and described is not None and is_of_transformers(mlmodel, described),
    )


def _checkpoint(files: OpenedFolder) -> Checkpoint:
    if not files.shards:
        return read_checkpoint(files.weights(files.folder.weights))
    state: State = {}
    for shard in files.shards:
        if not shard.is_file():
            index = files.folder.weights.name
            raise ModelError(f"{shard} is not there, although {index} lists it. Copy the whole folder again.")
        state |= read_checkpoint(files.weights(shard)).state
    return Checkpoint(None, None, None, state)


def _processor(files: OpenedFolder) -> JsonFile | None:
    """Return what describes the image processor; newer folders may hold it within processor_config.json, which wins."""
    own, joint = files.folder.processor, files.folder.joint_processor
    if own is None:
        return None
    inner = files.json(joint).content.get("image_processor") if joint is not None else None
    return JsonFile(joint, inner) if joint is not None and isinstance(inner, dict) else files.json(own)
