"""python -m explain summary: shows where a classifier looks, label by label, on one page."""

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any, get_args

from data.command import Command
from data.command_line.fault_report import WITH_FAULTS
from data.command_line.options import add_label_options, read
from data.progress import ProgressReport
from data.reading import FORMATS
from data.sources.options import add_source_options
from explain.request.parameter_types import AlgorithmName
from settings.excerpt import counted, excerpt

_MOST_TOLD = 10  # faults


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example: python -m explain summary --model path/to/folder --data train.jsonl"
    parser.add_argument(
        "--model", required=True, metavar="MODEL", help="a model folder, or NAME or NAME@VERSION of a registered model"
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="PATH",
        help="labelled images in any format, such as JSONL or a folder for each label; or a folder of images",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the page to write (default: summary/NAME.html, by the name of PATH); maps are kept in a folder beside it",
    )
    group = parser.add_argument_group("what is explained, and how")
    group.add_argument(
        "--explain",
        choices=("predicted", "labelled"),
        default="predicted",
        help="the labels that the model predicts, or those that the data gives (default: predicted)",
    )
    group.add_argument(
        "--xai-algorithm",
        choices=get_args(AlgorithmName),
        default="gradcam",
        metavar="NAME",
        help=f"{', '.join(get_args(AlgorithmName))} (default: gradcam, which is the quickest)",
    )
    group.add_argument(
        "--xai-parameters", type=_parameters, default={}, metavar="JSON", help="other xai_parameters, as in a request"
    )
    group.add_argument("--limit", type=_count, metavar="N", help="explain at most N images of each label")
    group = parser.add_argument_group("where it computes")
    group.add_argument("--device", default="auto", help="cpu, cuda, cuda:N, or a GPU if there is one (default: auto)")
    group.add_argument("--batch-size", type=_count, default=8, metavar="N", help="rows that run at once (default: 8)")
    group.add_argument("--model-root", type=Path, default=Path("model_root"), help="default: model_root")
    group = parser.add_argument_group("what PATH is")
    group.add_argument("--format", choices=sorted(FORMATS), metavar="NAME", help="its format (default: as recognised)")
    add_label_options(group)
    group.add_argument("--exif", action="store_true", help="boxes are of images as their EXIF turns them")
    add_source_options(parser)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, not {value}")
    return value


def _parameters(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise argparse.ArgumentTypeError(
            f'expected a JSON object such as {{"output": "probability"}}, not {excerpt(text)}'
        )
    return content


def _printable(text: str) -> str:
    """Return a text without the characters by which the name of a file could command a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _run(options: argparse.Namespace) -> int:
    # imports PyTorch, which --help does not need
    from explain.request.parameters import read_parameters
    from explain.summary.images import read_images
    from explain.summary.job import SummaryJob, model_path
    from explain.summary.report import write_summary
    from models.loaded import load_classifier

    parameters = read_parameters({"xai_algorithm": options.xai_algorithm, **options.xai_parameters})
    model = load_classifier(model_path(options.model, options.model_root), device=options.device)
    job = SummaryJob(model, parameters, options.explain, options.limit, options.batch_size)
    output = options.output or Path("summary", f"{options.data.absolute().name}.html")
    output.parent.mkdir(parents=True, exist_ok=True)
    data = read_images(options.data, partial(read, options=options), labelled=options.format is not None)
    summary = write_summary(job, data, output, ProgressReport(), exif=options.exif)
    print(summary.page)
    for fault in summary.faults[:_MOST_TOLD]:
        print(_printable(f"{fault.fault}: {fault.image or options.data}: {fault.detail}"), file=sys.stderr)
    if len(summary.faults) > _MOST_TOLD:
        print(f"{counted(len(summary.faults), 'fault')} in all, see the page", file=sys.stderr)
    maps = sum(len(label.images) for label in summary.labels)
    places = sum(label.suspicion > 0 for label in summary.labels)
    labels = counted(len(summary.labels), "label")
    print(f"{counted(maps, 'map')} of {labels}, of which {places} with a place of their own", file=sys.stderr)
    return WITH_FAULTS if summary.faults else 0


COMMAND = Command("summary", "show where a classifier looks, label by label, on one page", _configure, _run)
