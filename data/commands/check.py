"""python -m data check: every fault of a data set as a line of JSON, and a table of how many there are."""

import argparse
from dataclasses import replace
from pathlib import Path

from data.check import FaultPolicy, leaks
from data.command import REFUSED, Command
from data.command_line.fault_report import WITH_FAULTS, FaultReport
from data.command_line.options import add_policy_options, add_reading_options, fault_policy, read
from data.errors import DataRefusedError


def _configure(parser: argparse.ArgumentParser) -> None:
    add_reading_options(parser)
    parser.add_argument("--validation", type=Path, metavar="FILE", help="images that are held back, checked as well")
    add_policy_options(parser)


def _run(options: argparse.Namespace) -> int:
    policy = fault_policy(options)
    files = [options.file, *([options.validation] if options.validation else [])]
    reports = [FaultReport.of(*read(file, options), policy) for file in files]
    if options.validation:
        reports[0] = _without_leaks(reports[0], reports[1], policy)
    for number, report in enumerate(reports):
        report.print_faults(with_file=number > 0)
    for report in reports:
        report.print_summary()
    if any(report.checked is None for report in reports):
        return REFUSED
    return WITH_FAULTS if any(report.has_faults for report in reports) else 0


def _without_leaks(training: FaultReport, validation: FaultReport, policy: FaultPolicy) -> FaultReport:
    if training.checked is None or validation.checked is None:
        return training
    try:
        checked, _ = leaks(training.checked, validation.checked, policy)
    except DataRefusedError as error:
        return replace(training, faults=error.faults, checked=None, refusal=str(error))
    return replace(training, faults=checked.faults, checked=checked)


COMMAND = Command("check", "report every fault of labelled images, by line", _configure, _run)
