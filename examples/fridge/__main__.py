"""`python -m examples.fridge`: build a demo model, or draw labelled images."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import get_args

from examples.fridge.dataset import LABEL_FILE, write_dataset
from examples.fridge.errors import DemoError
from examples.fridge.folder import build, fingerprint, read_card
from examples.fridge.scene import MOST_OBJECTS
from examples.fridge.task import find_task, task_names
from models.folder.manifest import TaskName

_FIRST = "multiclass"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 where nothing was built, 2 for bad usage, 130 when stopped."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        return 130


def _build(options: argparse.Namespace) -> int:
    # Read when PyTorch is loaded. Its threads would else spin, and be ten times slower beside other programs
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    task = find_task(options.task)
    output = options.output or Path("demo", "fridge" if options.task == _FIRST else f"fridge_{options.task}")
    card = read_card(output)
    if options.force or card is None or card.get("fingerprint") != fingerprint(task, options.seed):
        print(f"building the demo model in {output}; this takes minutes, and only the first time", file=sys.stderr)
        card = build(output, task, options.seed)
    figures = ", ".join(f"{name} {card[name]:.1%}" for name in (task.metric, *task.more_metrics))
    print(
        f"{output}: {card['architecture']}, {figures} on {card['test_images']} unseen images, "
        f"built in {card['seconds']:.0f} s",
        file=sys.stderr,
    )
    return 0


def _draw(options: argparse.Namespace) -> int:
    width, height = options.size
    size = (width, height)
    annotations = write_dataset(
        options.folder, options.seed, options.count, size, objects=options.objects, task=options.task
    )
    found = {"folder": str(options.folder), "images": len(annotations), "labels": str(options.folder / LABEL_FILE)}
    print(json.dumps(found))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.fridge", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="{build,draw}")
    command = commands.add_parser("build", help="train a demo model, unless it is up to date")
    command.add_argument("--task", choices=task_names(), default=_FIRST, help=f"kind of model (default: {_FIRST})")
    command.add_argument(
        "--output", type=Path, metavar="FOLDER", help="default: demo/fridge, or demo/fridge_TASK for another task"
    )
    command.add_argument("--seed", type=_seed, default=0, help="another seed draws other images and trains again")
    command.add_argument("--force", action="store_true", help="build even if the folder is up to date")
    command.set_defaults(run=_build)
    command = commands.add_parser("draw", help="write labelled images, in the form that training reads")
    command.add_argument("folder", type=Path, metavar="FOLDER", help="a folder that does not exist yet")
    command.add_argument(
        "--task", choices=get_args(TaskName), default="detection", help="what to label them for (default: detection)"
    )
    command.add_argument("--count", type=_count, default=12, help="how many images (default: 12)")
    command.add_argument("--size", type=_size, default=(640, 480), metavar="WxH", help="in pixels (default: 640x480)")
    command.add_argument(
        "--objects",
        type=int,
        choices=range(1, MOST_OBJECTS + 1),
        help="objects per image (default: 1 for multiclass, else 1 to 4 at random)",
    )
    command.add_argument("--seed", type=_seed, default=0, help="seed of the first image (default: 0)")
    command.set_defaults(run=_draw)
    return parser


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, not {value}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, not {value}")
    return value


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= 32):
        raise argparse.ArgumentTypeError(f"expected a width and a height of at least 32, such as 640x480, not {text!r}")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main())
