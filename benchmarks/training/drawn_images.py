"""Drawn images as files, for all contestants."""

import json
from pathlib import Path

from benchmarks.training.plan import PlannedTask
from examples.fridge.dataset import LABEL_FILE, write_dataset
from models.folder.manifest import TaskName

SIZE = (640, 480)
_FIRST = {"train": 0, "valid": 10**6}  # seed
_TASKS: dict[PlannedTask, TaskName] = {"classification": "multiclass", "detection": "detection"}


def write_images(folder: Path, task: PlannedTask, training: int, validation: int) -> None:
    """Write the images of a plan, unless they are there already."""
    done = folder / "done.json"
    wanted = json.dumps({"task": task, "training": training, "validation": validation, "size": SIZE})
    if done.exists() and done.read_text() == wanted:
        return
    for part, count in (("train", training), ("valid", validation)):
        write_dataset(folder / part, _FIRST[part], count, SIZE, task=_TASKS[task])
        if task == "classification":
            _sort(folder / part, folder / "by_label" / part)
    done.write_text(wanted)


def _sort(images: Path, sorted_images: Path) -> None:
    """Make folders of labels with links to the images, as ImageFolder wants them."""
    for line in (images / LABEL_FILE).read_text().splitlines():
        image = json.loads(line)
        link = sorted_images / image["label"] / image["image_url"]
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to((images / image["image_url"]).absolute())
