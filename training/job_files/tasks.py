"""The tasks by their names at the hosted service, in any of the spellings that its clients have."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from models.folder.manifest import TaskName

HOSTED_TASKS: Mapping[str, TaskName] = MappingProxyType(
    {
        "image_classification": "multiclass",
        "image_classification_multilabel": "multilabel",
        "image_object_detection": "detection",
        "image_instance_segmentation": "segmentation",
    }
)
_NO_LETTERS = re.compile("[^a-z0-9]")


def letters(text: str) -> str:
    """Return a word in small letters, without dashes, underscores and blanks."""
    return _NO_LETTERS.sub("", text.lower())


def task_of(text: str) -> TaskName | None:
    """Return the task that a text names, such as image-object-detection or detection; None where it is none."""
    for hosted, task in HOSTED_TASKS.items():
        if letters(text) in (letters(hosted), task):
            return task
    return None
