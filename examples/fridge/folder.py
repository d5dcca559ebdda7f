"""Builds the folder of a demo: a trained model, images to try, the report of its training, and a card.

outputs/                       the model folder that training left
pictures/*.jpg                 drawn like the training images, but not among them
report.html                    how the training went
card.json                      how good the model is, and what it was made from
"""

import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from examples.fridge.errors import DemoError
from examples.fridge.scene import LABELS, MOST_OBJECTS, draw_scene
from examples.fridge.seeds import SAMPLE_BLOCK, seeds
from examples.fridge.task import DemoTask
from examples.fridge.training import train_demo
from settings.version import product_version

CARD = "card.json"
_IMAGES = 12
_TRIES = 2
_SOURCE = Path(__file__).parent


def read_card(folder: Path) -> dict[str, Any] | None:
    """Return the card of a demo folder; None where there is no folder yet; DemoError where it is something else."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_bytes())
    except FileNotFoundError:
        if folder.is_dir() and not any(folder.iterdir()):
            return None
        if folder.exists():
            raise DemoError(
                f"{folder} exists and is not a demo folder: it has no {CARD}. Name another one with --output."
            ) from None
        return None
    except ValueError:
        raise DemoError(f"{folder / CARD} is not readable as JSON. Remove the folder, or name another one.") from None
    return card


def fingerprint(task: DemoTask, seed: int) -> str:
    """Return a hash of what decides the result: what is drawn, the jobs, the seed, and the code that draws."""
    digest = hashlib.sha256(json.dumps([asdict(task), seed, product_version()], sort_keys=True).encode())
    for file in sorted([*_SOURCE.rglob("*.py"), *task.job_files()]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def build(folder: Path, task: DemoTask, seed: int) -> dict[str, Any]:
    """Train, write the folder or replace the demo in it, and return its card.

    A training that ends below `task.least` is repeated once with the next seed; DemoError where that fails too. The
    folder is written whole or not at all.
    """
    read_card(folder)
    start = time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-training-", dir=folder.parent) as workspace:
        for used in range(seed, seed + _TRIES):
            place = Path(workspace, str(used))
            place.mkdir()
            run = train_demo(task, used, place)
            evaluation = json.loads((run / "evaluation.json").read_text())
            score = evaluation["metrics"][task.metric]
            if score >= task.least:
                break
            print(f"{task.metric} {score:.1%} is less than {task.least:.0%}", file=sys.stderr)
        else:
            raise DemoError(
                f"No training reached {task.metric} {task.least:.0%}, the last one {score:.1%}. Try another --seed."
            )
        with _replacing(folder) as fresh:
            for name in ("outputs", "report.html"):
                (run / name).replace(fresh / name)
            _write_images(fresh / "pictures", used, task.several_objects)
            card = _card(task, run, evaluation, (seed, used)) | {"seconds": round(time.monotonic() - start, 1)}
            (fresh / CARD).write_text(json.dumps(card, indent=2) + "\n")
    return card


def _card(task: DemoTask, run: Path, evaluation: dict[str, Any], seeds: tuple[int, int]) -> dict[str, Any]:
    described = json.loads((run / "run.json").read_text())
    names = (task.metric, *task.more_metrics)
    return {
        "task": task.task,
        "architecture": described["model_name"],
        **{name: evaluation["metrics"][name] for name in names},
        "per_label": evaluation["per_label"],
        "test_images": described["data"]["validation"]["images"],
        "seed": seeds[1],
        "torch": described["versions"]["torch"],
        "fingerprint": fingerprint(task, seeds[0]),
    }


def _write_images(folder: Path, seed: int, several_objects: bool) -> None:
    folder.mkdir()
    for index, number in enumerate(seeds(seed, SAMPLE_BLOCK, _IMAGES)):
        if several_objects:
            name, scene = f"scene_{index + 1:02d}", draw_scene(number, count=index % MOST_OBJECTS + 1)
        else:
            label = LABELS[index % len(LABELS)]
            name, scene = f"{label}_{index // len(LABELS) + 1}", draw_scene(number, labels=[label])
        Image.fromarray(scene.image).save(folder / f"{name}.jpg", quality=90)


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `folder` at the end."""
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        fresh, old = Path(temporary, "fresh"), Path(temporary, "old")
        fresh.mkdir()
        yield fresh
        if folder.exists():
            folder.replace(old)
        fresh.replace(folder)
        shutil.rmtree(old, ignore_errors=True)
