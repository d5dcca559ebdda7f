"""Drawn images as files with labels, boxes and masks, for training or for comparing masks with explanations.

labels.jsonl                   one image a line, labelled for a task as AutoML for Images has it
000000.jpg ...                 the images
000000_0.png ...               one mask per object, 255 where it is visible
annotations.json               [{"image", "seed", "width", "height", "objects": [{"label", "box", "mask"}]}]
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data.format import PlacedImage
from data.json_lines.writing import write_lines
from data.outlines import traced
from data.record import LabelledImage, LabelledObject
from examples.fridge.errors import DemoError
from examples.fridge.parallel import parallel_map
from examples.fridge.scene import LABELS, FridgeScene, SceneObject, draw_scene
from models.folder.manifest import TaskName
from settings.excerpt import counted

LABEL_FILE = "labels.jsonl"


def write_dataset(
    folder: Path,
    first_seed: int,
    count: int,
    size: tuple[int, int],
    *,
    objects: int | None = None,
    task: TaskName = "detection",
) -> list[dict[str, Any]]:
    """Draw `count` images of `size` (width, height), each with `objects` or 1 to 4 objects; return the annotations.

    For multiclass, an image has one object, and the labels take turns. Boxes of annotations are left, top, right,
    bottom in pixels, right and bottom exclusive. The images are the same however many processes draw them. The folder
    is written whole or not at all. DemoError where it exists, or for more than one object in an image of one label.
    """
    if task == "multiclass" and objects not in (None, 1):
        raise DemoError(f"An image of one label shows one object, not {objects}. Leave out --objects, or use --task.")
    if folder.exists():
        raise DemoError(f"{folder} exists already. Name a folder that does not.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        fresh = Path(temporary, "fresh")
        fresh.mkdir()
        drawing = _Drawing(fresh, first_seed, size, 1 if task == "multiclass" else objects, task)
        drawn = parallel_map(f"drawing {counted(count, 'image')}", drawing.draw, range(count))
        with (fresh / LABEL_FILE).open("xb") as stream:
            write_lines((PlacedImage(each.labelled) for each in drawn), task, stream)
        annotations = [each.annotation for each in drawn]
        (fresh / "annotations.json").write_text(json.dumps(annotations, indent=1) + "\n")
        fresh.replace(folder)
    return annotations


@dataclass(frozen=True, slots=True)
class _Written:
    annotation: dict[str, Any]
    labelled: LabelledImage


@dataclass(frozen=True, slots=True)
class _Drawing:
    folder: Path
    first_seed: int
    size: tuple[int, int]
    objects: int | None
    task: TaskName

    def draw(self, number: int) -> _Written:
        """Draw one image, write it and its masks, and return what there is to say about it."""
        seed, name = self.first_seed + number, f"{number:06d}"
        labels = [LABELS[seed % len(LABELS)]] if self.task == "multiclass" else None
        scene = draw_scene(seed, size=self.size, count=self.objects, labels=labels)
        image = f"{name}.jpg"
        Image.fromarray(scene.image).save(self.folder / image, quality=90)
        described = []
        for index, item in enumerate(scene.objects):
            mask = f"{name}_{index}.png"
            Image.fromarray(item.mask.astype(np.uint8) * 255).save(self.folder / mask)
            described.append({"label": item.label, "box": item.box, "mask": mask})
        width, height = self.size
        annotation = {"image": image, "seed": seed, "width": width, "height": height, "objects": described}
        return _Written(annotation, _labelled(image, number + 1, scene, self.size, self.task))


def _labelled(url: str, line: int, scene: FridgeScene, size: tuple[int, int], task: TaskName) -> LabelledImage:
    if task in ("multiclass", "multilabel"):
        return LabelledImage(url, line, tuple(sorted({item.label for item in scene.objects})), size=size)
    objects = tuple(_object(item, size, outlined=task == "segmentation") for item in scene.objects)
    return LabelledImage(url, line, objects=objects, size=size)


def _object(item: SceneObject, size: tuple[int, int], outlined: bool) -> LabelledObject:
    left, top, right, bottom = item.box
    box = (left / size[0], top / size[1], right / size[0], bottom / size[1])
    return LabelledObject(item.label, box, traced(item.mask) if outlined else ())
