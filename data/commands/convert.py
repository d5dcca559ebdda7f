"""python -m data convert FROM TO --to FORMAT: writes labelled images in another format."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from data.command import Command
from data.command_line.options import add_label_options
from data.conversion import Conversion, convert
from data.dataset import Dataset
from data.fault import Fault
from data.progress import ProgressReport
from data.reading import FORMATS, named_format, recognised
from data.sources.image_store import ImageStore
from data.sources.located_reading import read_located
from data.sources.options import add_source_options, image_store
from settings.excerpt import counted, shortened

_WITH_FAULTS = 2
_MOST_NOTES = 20


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="FROM", help="a file or folder, whose format is recognised")
    parser.add_argument("target", type=Path, metavar="TO", help="a file or folder that does not exist")
    names = sorted(FORMATS)
    parser.add_argument(
        "--to", required=True, choices=names, metavar="NAME", help=f"the format of TO: {', '.join(names)}"
    )
    parser.add_argument(
        "--from",
        "--format",
        dest="form",
        choices=names,
        metavar="NAME",
        help="the format of FROM (default: as recognised)",
    )
    add_label_options(parser)
    parser.add_argument(
        "--voc-origin",
        type=int,
        choices=(0, 1),
        default=0,
        help="the number of the first pixel in Pascal VOC, read and written (default: 0, as at the hosted service)",
    )
    parser.add_argument(
        "--exif", action="store_true", help="boxes are for images turned as their EXIF says, as in Label Studio"
    )
    add_source_options(parser)


def _run(options: argparse.Namespace) -> int:
    source: Path = options.source
    form = named_format(options.form) if options.form else recognised(source)
    dataset, store = read_located(
        source,
        partial(image_store, options),
        task=options.task,
        format=form.name,
        label_column=options.label_column,
        voc_origin=options.voc_origin,
    )
    for fault in dataset.faults:
        _print(fault)
    target = named_format(options.to)
    conversion = convert(
        dataset,
        options.target,
        target,
        store,
        voc_origin=options.voc_origin,
        is_turned=form.is_turned,
        exif=options.exif,
        report=ProgressReport(),
    )
    for each in conversion.report.omissions:
        done = "image dropped" if each.objects is None else f"{counted(each.objects, 'object')} dropped"
        _print(Fault(each.image.line, each.image.url, each.fault, each.reason, done))
    print(f"{source} ({form.title}) -> {options.target} ({target.title}), {conversion.task}", file=sys.stderr)
    for line in _account(dataset, conversion, store):
        print(line, file=sys.stderr)
    return _WITH_FAULTS if dataset.faults or conversion.report.omissions else 0


def _print(fault: Fault) -> None:
    print(json.dumps(asdict(fault)))


def _account(dataset: Dataset, conversion: Conversion, store: ImageStore) -> Iterator[str]:
    """Yield the lines of a table: what came in and out, what was skipped and why, and what was taken for granted."""
    dropped = {fault.line for fault in dataset.faults if fault.done == "image dropped"}
    objects = sum(len(image.objects) for image in dataset.images)
    lost = sum(fault.done == "object dropped" for fault in dataset.faults)
    backgrounds = sum(not image.objects and not image.labels for image in dataset.images)
    rows = [
        ("images", len(dataset.images) + len(dropped), len(conversion.kept)),
        ("objects", objects + lost, conversion.objects),
        ("backgrounds", backgrounds, conversion.backgrounds),
    ]
    yield f"{'':12}{'in':>10}{'out':>10}"
    for name, before, after in rows if dataset.task in ("detection", "segmentation") else rows[:1]:
        yield f"{name:12}{before:>10}{after:>10}"
    skipped = Counter((fault.fault, fault.done) for fault in dataset.faults)
    skipped.update(
        (each.fault, "image dropped" if each.objects is None else "objects dropped")
        for each in conversion.report.omissions
    )
    for (code, done), count in sorted(skipped.items()):
        yield f"skipped: {count} times {code} ({done})"
    if store.found:
        yield "images found: " + ", ".join(f"{count} {how}" for how, count in store.found.most_common())
    notes = [*dataset.notes, *conversion.report.notes]
    yield from (shortened(note, 300) for note in notes[:_MOST_NOTES])
    if len(notes) > _MOST_NOTES:
        yield f"... and {len(notes) - _MOST_NOTES} more like that."


COMMAND = Command("convert", "write labelled images in another format", _configure, _run)
