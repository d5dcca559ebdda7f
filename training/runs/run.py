"""A run from its job to its model folder: prepare, build, train, publish."""

import platform
import shutil
import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import torch

from data.progress import ProgressReport
from models.architecture.architecture import Architecture
from models.folder.manifest import Manifest
from models.folder.registry import now
from settings.excerpt import counted
from training.errors import TrainingError
from training.hyperparameters.resolution import trained_architecture
from training.job import TrainingJob
from training.loop.batches import BatchOrder
from training.loop.device import compute_deterministically, find_device
from training.loop.loop import TrainingLoop
from training.loop.memory import keep_freed_memory
from training.loop.precision import choose_precision
from training.loop.processes import Processes
from training.loop.stopping import StoppedOutsideSteps, StopRequest, ended_by_sigterm
from training.recipe import Recipe, TrainingSetup
from training.recipe_catalog import recipe_family
from training.reports.card import write_card
from training.reports.report import write_report
from training.runs.folder import RunFolder, flattened, refuse_changes
from training.runs.options import RunOptions
from training.runs.preparation import PreparedData, prepare
from training.runs.publishing import publish, write_hosted
from training.runs.start import start_from, starting_weights
from training.trackers.selection import select_trackers
from training.trackers.tracker import TrackedRun

RunState = Literal["finished", "stopped", "had finished"]


def run_job(job: TrainingJob, options: RunOptions, report: ProgressReport) -> RunState:
    """Train the model of a job in `options.runs`/NAME, from where an earlier run was interrupted.

    Returns whether the run has finished, was stopped by SIGTERM and may go on, or had finished before.
    TrainingError, DataError, ModelError or SettingsError where it cannot start or go on.
    """
    processes = Processes.from_environment()
    report = report if processes.first else ProgressReport(quiet=True)
    folder = RunFolder(options.runs / job.name)
    device = find_device(options.device or _wanted(job), processes.local_rank)
    keep_freed_memory()
    if job.hyperparameters.deterministic:
        compute_deterministically(device)
    lock = folder.locked() if processes.first else nullcontext()
    try:
        with ended_by_sigterm(), lock, processes.connected(device):
            if processes.first:
                report = replace(report, log=folder.path / "log.txt")
            return _Run(job, options, folder, processes=processes, device=device, report=report).run()
    except StoppedOutsideSteps:
        return "stopped"
    except OSError as error:
        raise TrainingError(
            f"{error.filename or folder.path} cannot be written or read: {error.strerror or error}. Mend that, such as "
            "by making room on the disk; the same command goes on."
        ) from None


def _wanted(job: TrainingJob) -> str | None:
    return None if job.hyperparameters.device == "auto" else job.hyperparameters.device


class _Run:
    """One process's part of a run."""

    def __init__(
        self,
        job: TrainingJob,
        options: RunOptions,
        folder: RunFolder,
        *,
        processes: Processes,
        device: torch.device,
        report: ProgressReport,
    ) -> None:
        self._job, self._options, self._folder = job, options, folder
        self._processes, self._device, self._report = processes, device, report
        self._architecture = trained_architecture(job.model_name)
        self._family = recipe_family(self._architecture.name, job.task)
        self._before = folder.description()
        self._asked = {
            "task": job.task,
            "model_name": job.model_name,
            "hyperparameters": job.hyperparameters.model_dump(),
            "target_column": job.target_column,
        }

    def run(self) -> RunState:
        before = self._before
        if before is not None:
            known = {name: before.get(name) for name in self._asked}
            refuse_changes(self._folder.path, flattened(known), flattened(self._asked))
            if before.get("state") == "finished" and self._folder.outputs.is_dir():
                return "had finished"
        for note in self._job.notes:
            self._report.line(f"note: {note}")
        prepared = self._prepared()
        weights = starting_weights(self._job, self._options)
        recipe = self._recipe(prepared, pretrained=weights is not None)
        started_from, sentence = start_from(weights, recipe, self._architecture, prepared.labels)
        description = self._described(prepared, recipe, started_from)
        if count := len(prepared.faults):
            self._report.line(f"{counted(count, 'fault')} in the data, listed in {self._folder.path}/faults.jsonl")
        self._report.line(f"{self._job.name}: {self._job.model_name} for {self._job.task} {sentence}")
        return self._train(recipe, prepared, description)

    def _prepared(self) -> PreparedData:
        policy = replace(self._options.policy, exif=_turns_images(self._architecture))
        prepared = prepare(self._job, policy, self._options.stores, self._report)
        if self._before is not None:
            refuse_changes(
                self._folder.path, flattened(self._before["data"], "data."), flattened(prepared.fingerprints(), "data.")
            )
        return prepared

    def _recipe(self, prepared: PreparedData, *, pretrained: bool) -> Recipe:
        """Build the recipe; the first process decodes the images before the others do."""
        setup = TrainingSetup(
            task=self._job.task,
            model_name=self._job.model_name,
            hyperparameters=self._job.hyperparameters,
            labels=prepared.labels,
            training=prepared.training,
            validation=prepared.validation,
            device=self._device,
            cache=self._options.cache or self._folder.path / "decoded",
            report=self._report,
            pretrained=pretrained,
        )
        if not self._processes.first:
            self._processes.wait()
        recipe = self._family.build(setup)
        if self._processes.first:
            self._processes.wait()
        return recipe

    def _described(self, prepared: PreparedData, recipe: Recipe, started_from: Any) -> dict[str, Any]:
        """Return run.json, and write it with the images and faults where the run begins."""
        if self._before is not None:
            known, now = {"started_from": self._before["started_from"]}, {"started_from": started_from}
            refuse_changes(self._folder.path, flattened(known), flattened(now))
            return self._before
        job, seed = self._job, self._job.hyperparameters.seed
        order = BatchOrder(seed, recipe.example_count, job.hyperparameters.training_batch_size, 1)
        precision = choose_precision(job.hyperparameters.precision, recipe, order, self._device, self._report)
        description = {
            "name": job.name,
            "state": "running",
            **self._asked,
            "seed": seed,
            "started_from": started_from,
            "data": prepared.fingerprints(),
            "labels": list(prepared.labels),
            "primary_metric": self._job.primary_metric,
            "precision": self._processes.agreed(precision),
            "device": str(self._device),
            "processes": self._processes.count,
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": 0.0,
        }
        if self._processes.first:
            self._folder.write_lines("faults.jsonl", prepared.fault_lines())
            self._folder.write_images(prepared.training, prepared.validation, job.task)
            self._folder.describe(description)
        return description

    def _train(self, recipe: Recipe, prepared: PreparedData, description: dict[str, Any]) -> RunState:
        started = time.monotonic()
        trackers = select_trackers(
            self._report,
            tensorboard=self._options.tensorboard and self._processes.first,
            tracking=self._options.tracking if self._processes.first else None,
        )
        loop = TrainingLoop(
            recipe,
            self._job.hyperparameters,
            self._folder,
            processes=self._processes,
            device=self._device,
            precision=description["precision"],
            report=self._report,
            writers=(trackers,),
            primary_metric=self._job.primary_metric,
            timeout_s=None if self._job.timeout_minutes is None else 60 * self._job.timeout_minutes,
        )
        trackers.start(TrackedRun(self._job.name, self._folder.path, flattened(self._asked), self._folder.next_epoch()))
        self._report.line(self._first_line(prepared, description))
        try:
            with StopRequest().listening() as stop:
                finished = loop.run(stop)
        except BaseException:
            trackers.end("failed")
            raise
        trackers.end("finished" if finished else "stopped")
        description["seconds"] = round(description["seconds"] + time.monotonic() - started, 1)
        if self._processes.first:
            self._folder.describe(description)
            if finished:
                self._finish(recipe, prepared, description)
        return "finished" if finished else "stopped"

    def _first_line(self, prepared: PreparedData, description: dict[str, Any]) -> str:
        return (
            f"{counted(len(prepared.training), 'image')} to train with, {len(prepared.validation)} to evaluate with, "
            f"{counted(len(prepared.labels), 'label')}; {description['device']}, {description['precision']}"
        )

    def _finish(self, recipe: Recipe, prepared: PreparedData, description: dict[str, Any]) -> None:
        """Publish the model with its card, draw the report, and say that the run has finished."""
        job, network = self._job, recipe.network
        network.load_state_dict(self._folder.best()["network"])
        evaluation = self._folder.evaluation()
        score = {name: evaluation[name] for name in ("epoch", "metrics")}
        score["score"] = evaluation["metrics"].get(evaluation["primary_metric"], 0.0)
        origin = {
            "run": job.name,
            "started_from": _source(description["started_from"]),
            "training_data": description["data"]["training"]["sha256"],
            "validation_data": description["data"]["validation"]["sha256"],
        }
        model_name = self._architecture.name
        manifest = Manifest(
            architecture=model_name, labels=list(prepared.labels), task=job.task, created=now(), origin=origin
        )
        write = self._family.write
        publish(
            self._folder.outputs,
            manifest,
            lambda folder: (
                write(recipe, network, folder)
                if write is not None
                else write_hosted(folder, recipe, network, task=job.task, model_name=model_name, score=score)
            ),
            lambda folder: write_card(self._folder.path, folder / "README.md"),
        )
        write_report(self._folder.path, prepared.validation, exif=_turns_images(self._architecture))
        # Before the last word: nobody would remove them for a run that was killed after it
        if self._options.cache is None:
            shutil.rmtree(self._folder.path / "decoded", ignore_errors=True)
        self._folder.describe({**description, "state": "finished"})


def _source(started_from: Any) -> str:
    """Return weights as the manifest names them, with their hash."""
    if isinstance(started_from, str):
        return started_from
    return f"{started_from['source']} (sha256 {started_from['sha256']})"


def _turns_images(architecture: Architecture) -> bool:
    """Return whether a server turns the images of this model by their EXIF orientation, unless a folder says else."""
    exif = architecture.settings.model_fields.get("exif")
    return bool(exif is not None and exif.default)
