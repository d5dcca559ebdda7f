"""python -m data split: labelled images for training, and others to judge the result, as two files of JSONL."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from data.checks.labels import labels_of
from data.command import REFUSED, Command
from data.command_line.fault_report import WITH_FAULTS, FaultReport
from data.command_line.options import add_policy_options, add_reading_options, fault_policy, read, share
from data.command_line.split_files import SourceLines, write_parts
from data.dataset import CheckedImage
from data.errors import DataError
from data.split import Images, parted
from models.labels import named, shown

_MOST_LABELS = 30
_NAMES = ("train", "valid", "test")


def _configure(parser: argparse.ArgumentParser) -> None:
    add_reading_options(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="where train.jsonl and valid.jsonl go"
    )
    parser.add_argument("--share", type=share, default=0.2, help="of the images, for valid.jsonl (default: 0.2)")
    parser.add_argument(
        "--test", type=share, default=0.0, metavar="SHARE", help="of the images, for test.jsonl (default: 0)"
    )
    parser.add_argument("--group", metavar="KEY", help="a key of the lines: images with the same value stay together")
    parser.add_argument("--seed", type=int, default=0, help="another number is another cut (default: 0)")
    add_policy_options(parser)


def _run(options: argparse.Namespace) -> int:
    if not 0 < options.share < 1 or options.share + options.test >= 1:
        raise DataError(
            f"--share is {options.share:g} and --test {options.test:g}. Expected a --share above 0, and both together "
            "below 1, so that images are left to train on."
        )
    dataset, store = read(options.file, options)
    lines = SourceLines.of(dataset, options.format, options.label_column)
    group = _group(lines, options.group) if options.group else None
    report = FaultReport.of(dataset, store, fault_policy(options))
    report.print_faults()
    report.print_summary()
    if report.checked is None:
        return REFUSED
    shares = [options.share, *([options.test] if options.test else [])]
    parts = parted(report.checked.images, shares, group=group, seed=options.seed)
    write_parts(options.out, dict(zip(_NAMES, parts, strict=False)), report.checked.task, lines, store)
    print("\n".join(_table(parts)), file=sys.stderr)
    return WITH_FAULTS if report.has_faults else 0


def _group(lines: SourceLines, key: str) -> Callable[[CheckedImage], str | None]:
    values = lines.values(key)
    if not values:
        raise DataError(f"No line of {lines.source} has the key {key!r} that --group names. Name one that lines have.")
    return lambda image: values.get(image.image.line)


def _table(parts: Sequence[Images]) -> list[str]:
    counts = [Counter(label for image in part for label in labels_of(image.image)) for part in parts]
    labels = sorted({label for count in counts for label in count}, key=named)
    names = _NAMES[: len(parts)]
    rows: list[tuple[str, Sequence[object]]] = [("", names), ("images", [len(part) for part in parts])]
    rows += [(shown([label], 1), [count[label] for count in counts]) for label in labels[:_MOST_LABELS]]
    width = max(len(name) for name, _ in rows)
    lines = ["  ".join([f"{name:<{width}}", *(f"{value!s:>8}" for value in values)]) for name, values in rows]
    for name, count in zip(names, counts, strict=True):
        if missing := [label for label in labels if not count[label]]:
            lines.append(
                f"{name}.jsonl has no image with {shown(missing, _MOST_LABELS)}. Another --seed may have some, as "
                "may more images."
            )
    return lines


COMMAND = Command("split", "divide labelled images into those to train on and those to judge by", _configure, _run)
