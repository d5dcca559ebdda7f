"""The demo's folder: a model as a training run of AutoML for Images leaves it, pictures to try, and a card.

outputs/mlflow-model/{MLmodel, artifacts/{model.pt, settings.json}}
pictures/*.jpg                 drawn like the training pictures, but not among them
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
from examples.fridge.task import DemoTask, Trained

CARD = "card.json"
_PICTURES = 12
_TRIES = 2
_SOURCE = Path(__file__).parent


class DemoError(Exception):
    """The demo cannot be built; the message says why and what to do."""


def read_card(folder: Path) -> dict[str, Any] | None:
    """Return the card of a demo folder, None where there is no folder yet; DemoError where it is something else."""
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
    """Return what decides the result as a hash: the recipe, the seed, and the code that draws and trains."""
    digest = hashlib.sha256(json.dumps([task.automl_name, task.recipe, seed], sort_keys=True).encode())
    for file in sorted(_SOURCE.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def build(folder: Path, task: DemoTask, seed: int) -> dict[str, Any]:
    """Train, write the folder in place of the demo that may be there, and return its card.

    A training that ends below `task.least` is tried once more, with the next seed. Nothing is left half-made.
    DemoError where that fails too.
    """
    read_card(folder)
    start = time.monotonic()
    for used in range(seed, seed + _TRIES):
        trained = task.train(used)
        if trained.score >= task.least:
            break
        print(f"{task.measure} {trained.score:.1%} is less than {task.least:.0%}", file=sys.stderr)
    else:
        raise DemoError(
            f"No training reached {task.measure} {task.least:.0%}, the last one {trained.score:.1%}. "
            "Try another --seed."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(folder) as fresh:
        _write_model(fresh / "outputs/mlflow-model", task, trained)
        _write_pictures(fresh / "pictures", used, task.crowded)
        card = _card(task, trained, (seed, used), time.monotonic() - start)
        (fresh / CARD).write_text(json.dumps(card, indent=2) + "\n")
    return card


def _card(task: DemoTask, trained: Trained, seeds: tuple[int, int], seconds: float) -> dict[str, Any]:
    import torch

    return {
        "task": task.automl_name,
        task.measure: trained.score,
        **trained.details,
        "seed": seeds[1],
        "seconds": round(seconds, 1),
        "torch": torch.__version__,
        "recipe": task.recipe,
        "fingerprint": fingerprint(task, seeds[0]),
    }


def _write_model(folder: Path, task: DemoTask, trained: Trained) -> None:
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


def _write_pictures(folder: Path, seed: int, crowded: bool) -> None:
    folder.mkdir()
    for index, number in enumerate(seeds(seed, SAMPLE_BLOCK, _PICTURES)):
        label, turn = LABELS[index % len(LABELS)], index // len(LABELS) + 1
        scene = draw_scene(number, count=index % MOST_OBJECTS + 1) if crowded else draw_scene(number, labels=[label])
        name = f"scene_{index + 1:02d}" if crowded else f"{label}_{turn}"
        Image.fromarray(scene.image).save(folder / f"{name}.jpg", quality=90)


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `folder` once it is filled."""
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        fresh, old = Path(temporary, "fresh"), Path(temporary, "old")
        fresh.mkdir()
        yield fresh
        if folder.exists():
            folder.replace(old)
        fresh.replace(folder)
        shutil.rmtree(old, ignore_errors=True)
