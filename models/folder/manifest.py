"""manifest.json: the file that describes a model folder.

Somebody who brings plain weights writes `architecture`, `labels` and perhaps `task`; registering adds the rest.
"""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from models.errors import ModelError
from models.labels import Label, checked_labels
from settings.errors import SettingsError
from settings.json_file import JsonFile

MANIFEST = "manifest.json"

TaskName = Literal["multiclass", "multilabel", "detection", "segmentation"]

_TASKS = " or ".join(f'"{name}"' for name in get_args(TaskName))


class Manifest(BaseModel):
    """The content of manifest.json. `files` maps each file's path in the folder to its sha256 in hexadecimal.

    `origin` is what a training says of itself: its run, its data and the weights that it started from.

    Without a `task`, the model does what its architecture is usually for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    architecture: str
    labels: Annotated[list[Label], PlainValidator(lambda given: list(checked_labels(given)))]
    task: TaskName | None = None
    name: str | None = None
    version: int | None = None
    created: str | None = None
    sizes: dict[str, int] = Field(default_factory=dict)
    origin: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)


def read_manifest(file: Path) -> Manifest:
    """Read and check manifest.json; ModelError where it is no JSON object or a key is missing, unknown or wrong."""
    try:
        return check_manifest(JsonFile.read(file))
    except SettingsError as error:
        raise ModelError(str(error)) from None


def check_manifest(file: JsonFile) -> Manifest:
    """Return a manifest that was read; ModelError where a key is missing, unknown or wrong."""
    try:
        return Manifest.model_validate(file.content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))!r}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
        raise ModelError(
            f"{file.path} does not describe a model: {problems}. "
            f'Expected {{"architecture": NAME, "labels": [TEXT OR WHOLE NUMBER, ...], "task": {_TASKS}}}.'
        ) from None
