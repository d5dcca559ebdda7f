"""Drawn images as files, for all contestants."""

import json
from pathlib import Path

from PIL import Image

from examples.fridge.labelled_image import draw_labelled_images
from examples.fridge.scene import LABELS

SIZE = (640, 480)


def write_images(folder: Path, training: int, validation: int) -> None:
    """Write images of one object each as folders of labels and as JSONL, unless they are there already."""
    done = folder / "done.json"
    wanted = json.dumps({"training": training, "validation": validation, "size": SIZE})
    if done.exists() and done.read_text() == wanted:
        return
    for part, seeds in (("train", range(training)), ("valid", range(10**6, 10**6 + validation))):
        lines = []
        for seed, drawn in zip(seeds, draw_labelled_images(f"drawing {part}", seeds, SIZE), strict=True):
            label = LABELS[drawn.label]
            file = folder / part / label / f"{seed:07d}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(drawn.image).save(file, quality=90)
            lines.append({"image_url": str(file.relative_to(folder)), "label": label})
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done.write_text(wanted)
