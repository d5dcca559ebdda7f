"""python -m data check: every fault of a data set as a line of JSON, and a table of how many there are."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from data.check import FaultPolicy, check, leaks
from data.checks.fault_log import WARNED
from data.command import REFUSED, Command
from data.dataset import CheckedData
from data.errors import DataError, DataRefusedError
from data.fault import Fault
from data.headers import size_finder
from data.mapping_file import read_mapping
from data.progress import ProgressReport
from data.reading import FORMATS, read_dataset
from data.sources.image_store import ImageStore
from data.sources.options import add_source_options, image_store
from models.labels import Label, shown
from settings.excerpt import excerpt

_WITH_FAULTS = 2
_MOST_LABELS = 20
_TASKS = ("multiclass", "multilabel", "detection", "segmentation")


@dataclass(frozen=True, slots=True)
class _Report:
    """What is to be said of one file: `checked` is None where it was refused, for the reason in `refusal`."""

    source: Path
    faults: Sequence[Fault]
    checked: CheckedData | None = None
    refusal: str = ""
    store: ImageStore | None = None


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="labelled images in any format that is read")
    parser.add_argument("--validation", type=Path, metavar="FILE", help="those that are held back, checked as well")
    parser.add_argument("--task", choices=_TASKS, help="what they are labelled for; without it, the labels decide")
    parser.add_argument("--format", choices=sorted(FORMATS), help="without it, the format is recognised")
    parser.add_argument("--label-column", default="label", metavar="NAME", help="key or column of the labels")
    parser.add_argument(
        "--faults",
        choices=("skip", "refuse"),
        default="skip",
        help="leave faulty lines out, or refuse all; default: skip",
    )
    parser.add_argument(
        "--most-faults", type=_share, metavar="SHARE", help="refuse where more of the lines, from 0 to 1, are left out"
    )
    parser.add_argument("--deep", action="store_true", help="decode all images, and compare their pixels")
    parser.add_argument(
        "--twice", choices=("last", "merge", "refuse"), help="which of several lines about an image counts"
    )
    parser.add_argument(
        "--rename", type=Path, metavar="FILE", help="JSON or YAML with a new name for each of some labels"
    )
    parser.add_argument("--exif", action="store_true", help="images are turned as their EXIF says, also in training")
    parser.add_argument("--order-corners", action="store_true", help="mend boxes whose corners are swapped")
    add_source_options(parser)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def _run(options: argparse.Namespace) -> int:
    policy = FaultPolicy(
        refuse=options.faults == "refuse",
        most_faults=options.most_faults,
        deep=options.deep,
        twice=options.twice,
        rename=_names(options.rename) if options.rename else {},
        exif=options.exif,
        order_corners=options.order_corners,
    )
    reports = [_checked(options.file, options, policy)]
    if options.validation:
        reports.append(_checked(options.validation, options, policy))
        reports[0] = _without_leaks(reports[0], reports[1], policy)
    for number, report in enumerate(reports):
        _print_faults(report, name_file=number > 0)
    for report in reports:
        _print_summary(report)
    if any(report.refusal for report in reports):
        return REFUSED
    counted = [fault for report in reports for fault in report.faults if fault.done != WARNED]
    return _WITH_FAULTS if counted else 0


def _names(file: Path) -> dict[str, Label]:
    names = read_mapping(file, 'the new name of labels by their old one, such as {"Can": "can"}')
    for new in names.values():
        if isinstance(new, bool) or not isinstance(new, (str, int)):
            raise DataError(f"{file} has {excerpt(new)} as the name of a label. Give a text or a whole number.")
    return names


def _checked(file: Path, options: argparse.Namespace, policy: FaultPolicy) -> _Report:
    folder = file if file.is_dir() else file.parent
    dataset = read_dataset(
        file,
        task=options.task,
        format=options.format,
        label_column=options.label_column,
        size_of=size_finder(image_store(options, folder)),
    )
    store = image_store(options, dataset.folder)
    try:
        checked = check(dataset, store, policy, ProgressReport())
    except DataRefusedError as error:
        return _Report(file, error.faults, None, str(error), store)
    return _Report(file, checked.faults, checked, "", store)


def _without_leaks(training: _Report, validation: _Report, policy: FaultPolicy) -> _Report:
    if training.checked is None or validation.checked is None:
        return training
    try:
        checked, _ = leaks(training.checked, validation.checked, policy)
    except DataRefusedError as error:
        return _Report(training.source, error.faults, None, str(error), training.store)
    return _Report(training.source, checked.faults, checked, "", training.store)


def _print_faults(report: _Report, *, name_file: bool) -> None:
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    for fault in report.faults:
        if fault.line:
            found = asdict(fault) | ({"file": str(report.source)} if name_file else {})
            print(json.dumps(found, ensure_ascii=not utf8))


def _print_summary(report: _Report) -> None:
    lines = []
    counts = Counter((fault.fault, fault.done) for fault in report.faults if fault.line)
    if counts:
        width = max(len(fault) for fault, _ in counts)
        lines += [f"{count:>8}  {fault:<{width}}  {done}" for (fault, done), count in sorted(counts.items())]
    lines += [fault.detail for fault in report.faults if not fault.line]
    if report.store is not None and report.store.found:
        lines.append("Images found: " + ", ".join(f"{count} {how}" for how, count in report.store.found.most_common()))
    if report.checked is not None:
        data = report.checked
        lines.append(
            f"{report.source}: {len(data.images)} images for {data.task}, labels: {shown(data.labels, _MOST_LABELS)}"
        )
    else:
        lines.append(f"error: {report.refusal}")
    print("\n".join(lines), file=sys.stderr)


COMMAND = Command("check", "report every fault of labelled images, by line", _configure, _run)
