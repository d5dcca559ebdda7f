"""Drawn images as files with labels, boxes and masks, for training elsewhere or for comparing masks with explanations.

000000.jpg ...                 the images
000000_0.png ...               one mask per object, 255 where it is visible
annotations.json               [{"image", "seed", "width", "height", "objects": [{"label", "box", "mask"}]}]
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from examples.fridge.folder import DemoError
from examples.fridge.scene import draw_scene


def write_dataset(
    folder: Path, first_seed: int, count: int, size: tuple[int, int], objects: int | None = None
) -> list[dict[str, Any]]:
    """Draw `count` images of `size` (width, height), each with `objects` or 1 to 4 objects; return the annotations.

    Boxes are left, top, right, bottom in pixels, right and bottom exclusive. DemoError where `folder` exists.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise DemoError(f"{folder} exists already. Name a folder that does not.") from None
    annotations = []
    for number, seed in enumerate(range(first_seed, first_seed + count)):
        scene = draw_scene(seed, size=size, count=objects)
        name = f"{number:06d}"
        Image.fromarray(scene.image).save(folder / f"{name}.jpg", quality=90)
        described = []
        for index, item in enumerate(scene.objects):
            mask = f"{name}_{index}.png"
            Image.fromarray(item.mask.astype(np.uint8) * 255).save(folder / mask)
            described.append({"label": item.label, "box": item.box, "mask": mask})
        entry = {"image": f"{name}.jpg", "seed": seed, "width": size[0], "height": size[1], "objects": described}
        annotations.append(entry)
    (folder / "annotations.json").write_text(json.dumps(annotations, indent=1) + "\n")
    return annotations
