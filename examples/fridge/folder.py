"""Builds the folder of a demo: a model in the layout of AutoML for Images, images to try, and a card.

outputs/mlflow-model/{MLmodel, artifacts/{model.pt, settings.json}}
images/*.jpg                 drawn like the training images, but not among them
card.json                      how good the model is, and what it was made from
"""

import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from examples.fridge.scene import LABELS, MOST_OBJECTS, draw_scene
from examples.fridge.seeds import SAMPLE_BLOCK, seeds
from examples.fridge.task import DemoTask, TrainedModel

CARD = "card.json"
_IMAGES = 12
_TRIES = 2
_SOURCE = Path(__file__).parent


class DemoError(Exception):
    """The demo cannot be built; the message says why and what to do."""


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
    """Return a hash of what decides the result: the recipe, the seed, and the code that draws and trains."""
    digest = hashlib.sha256(json.dumps([task.automl_name, task.recipe, seed], sort_keys=True).encode())
    for file in sorted(_SOURCE.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def build(folder: Path, task: DemoTask, seed: int) -> dict[str, Any]:
    """Train, write the folder or replace the demo in it, and return its card.

    A training that ends below `task.least` is repeated once with the next seed; DemoError where that fails too. The
    folder is written whole or not at all.
    """
    read_card(folder)
    start = time.monotonic()
    for used in range(seed, seed + _TRIES):
        trained = task.train(used)
        if trained.score >= task.least:
            break
        print(f"{task.metric} {trained.score:.1%} is less than {task.least:.0%}", file=sys.stderr)
    else:
        raise DemoError(
            f"No training reached {task.metric} {task.least:.0%}, the last one {trained.score:.1%}. Try another --seed."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(folder) as fresh:
        _write_model(fresh / "outputs/mlflow-model", task, trained)
        _write_images(fresh / "pictures", used, task.several_objects)
        card = _card(task, trained, (seed, used), time.monotonic() - start)
        (fresh / CARD).write_text(json.dumps(card, indent=2) + "\n")
    return card


def _card(task: DemoTask, trained: TrainedModel, seeds: tuple[int, int], seconds: float) -> dict[str, Any]:
    import torch

    return {
        "task": task.automl_name,
        task.metric: trained.score,
        **trained.details,
        "seed": seeds[1],
        "seconds": round(seconds, 1),
        "torch": torch.__version__,
        "recipe": task.recipe,
        "fingerprint": fingerprint(task, seeds[0]),
    }


def _write_model(folder: Path, task: DemoTask, trained: TrainedModel) -> None:
    import torch

    artifacts = folder / "artifacts"
    artifacts.mkdir(parents=True)
    columns = json.dumps([{"name": name, "type": "string"} for name in task.outputs])
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n"
        f"metadata:\n  azureml.automl.task: {task.automl_name}\n"
        'signature:\n  inputs: \'[{"name": "image", "type": "binary"}]\'\n'
        f"  outputs: '{columns}'\n"
    )
    torch.save(_plain(trained.checkpoint), artifacts / "model.pt")
    (artifacts / "settings.json").write_text(json.dumps(dict(trained.settings), indent=2) + "\n")


def _plain(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in checkpoint.items()}


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
