"""training run: trains the model of a job file, or goes on where an earlier run was interrupted."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from data.command import Command
from data.command_line.options import add_refusal_options
from data.progress import ProgressReport
from data.sources.options import add_source_options, image_store

_MESSAGES = {
    "finished": "finished; the model is in {outputs}. Serve it: python -m server --model {outputs}",
    "stopped": "stopped; the same command goes on",
    "had finished": "had finished already; the model is in {outputs}",
}


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", type=Path, metavar="JOB", help="a job file of the hosted service, YAML or JSON")
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="FOLDER",
        help="where the folders of runs are (default: runs)",
    )
    group = parser.add_argument_group("what it starts from")
    start = group.add_mutually_exclusive_group()
    start.add_argument("--weights", metavar="PATH", help="a model folder or a file of weights")
    start.add_argument("--from", dest="source_run", metavar="RUN", help="a finished run, by its name or folder")
    group.add_argument("--download", action="store_true", help="fetch pretrained weights that are not on this machine")
    group = parser.add_argument_group("where it computes")
    group.add_argument(
        "--device", help="cpu, cuda or cuda:N (default: what the job says, or all GPUs, or else the CPU)"
    )
    group.add_argument(
        "--processes", type=_count, metavar="N", help="train in N processes (default: one for each GPU of the machine)"
    )
    group.add_argument("--decoded", type=Path, metavar="FOLDER", help="keep decoded images here, for other runs too")
    add_refusal_options(parser.add_argument_group("what is done about faults in the data"))
    group = parser.add_argument_group("where metrics are shown as well")
    group.add_argument("--tensorboard", action="store_true", help="in event files for TensorBoard, in the run's folder")
    group.add_argument("--tracking", metavar="URL", help="at this MLflow server")
    add_source_options(parser)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} is less than 1")
    return count


def _run(options: argparse.Namespace) -> int:
    # Read when PyTorch is loaded: beside other programs, threads that spin take three times as long
    # (docs/decisions/011-spinning.md)
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    # imports PyTorch, which --help does not need
    import torch

    from data.check import FaultPolicy
    from training.job import read_job
    from training.loop.launch import launch
    from training.loop.processes import Processes
    from training.runs.options import RunOptions
    from training.runs.run import run_job

    job = read_job(options.job)
    processes = Processes.from_environment()
    if processes.count == 1:
        gpus = torch.cuda.device_count() if job.hyperparameters.distributed and _may_use_gpus(options, job) else 1
        if (count := options.processes or gpus) > 1:
            return launch(sys.argv[1:], count)
    policy = FaultPolicy(refuse=options.faults == "refuse", most_faults=options.most_faults, deep=options.deep)
    report = ProgressReport(quiet=not processes.first)
    state = run_job(
        job,
        RunOptions(
            stores=lambda folder: image_store(options, folder, job.roots),
            runs=options.runs,
            policy=policy,
            device=options.device,
            weights=options.weights,
            source_run=options.source_run,
            download=options.download,
            cache=options.decoded,
            tensorboard=options.tensorboard,
            tracking=options.tracking,
        ),
        report,
    )
    report.line(_MESSAGES[state].format(outputs=options.runs / job.name / "outputs"))
    return 0


def _may_use_gpus(options: argparse.Namespace, job: Any) -> bool:
    """Return whether nothing names one device."""
    return options.device is None and job.hyperparameters.device == "auto"


COMMAND = Command("run", "train the model of a job file, or go on with it", _configure, _run)
