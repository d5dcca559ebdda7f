"""Drawn images as files, for all contestants."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.training.plan import PlannedTask
from examples.fridge.labelled_image import draw_labelled_images
from examples.fridge.labelled_scene import draw_labelled_scenes
from examples.fridge.scene import LABELS

SIZE = (640, 480)
_FIRST = {"train": 0, "valid": 10**6}  # seed


def write_images(folder: Path, task: PlannedTask, training: int, validation: int) -> None:
    """Write images and train.jsonl and valid.jsonl, unless they are there already."""
    done = folder / "done.json"
    wanted = json.dumps({"task": task, "training": training, "validation": validation, "size": SIZE})
    if done.exists() and done.read_text() == wanted:
        return
    draw = {"classification": _classification, "detection": _detection}[task]
    for part, count in (("train", training), ("valid", validation)):
        seeds = range(_FIRST[part], _FIRST[part] + count)
        lines = [json.dumps(line) + "\n" for line in draw(folder, part, seeds)]
        (folder / f"{part}.jsonl").write_text("".join(lines))
    done.write_text(wanted)


def _classification(folder: Path, part: str, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Write images of one object each into folders of labels."""
    for seed, drawn in zip(seeds, draw_labelled_images(f"drawing {part}", seeds, SIZE), strict=True):
        label = LABELS[drawn.label]
        yield {"image_url": _write(folder, f"{part}/{label}/{seed:07d}.jpg", drawn.image), "label": label}


def _detection(folder: Path, part: str, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Write images of one to four objects."""
    for seed, scene in zip(seeds, draw_labelled_scenes(f"drawing {part}", seeds, SIZE), strict=True):
        shares = (scene.boxes / (*SIZE, *SIZE)).clip(0, 1).tolist()
        objects = [
            {"label": LABELS[label], "topX": left, "topY": top, "bottomX": right, "bottomY": bottom, "isCrowd": 0}
            for label, (left, top, right, bottom) in zip(scene.labels, shares, strict=True)
        ]
        yield {"image_url": _write(folder, f"{part}/{seed:07d}.jpg", scene.image), "label": objects}


def _write(folder: Path, name: str, pixels: Any) -> str:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, quality=90)
    return name
