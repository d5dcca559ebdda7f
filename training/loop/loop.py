"""TrainingLoop: the one loop of all families: epochs, steps, evaluations, checkpoints."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from data.progress import ProgressBar, ProgressReport
from training.errors import TrainingError
from training.loop.batches import BatchOrder, prefetched, timed
from training.loop.device import moved
from training.loop.early_stopping import EarlyStopping
from training.loop.optimizer import build_optimizer, clip, restore_optimizer
from training.loop.precision import autocast, gradient_scaler
from training.loop.processes import Processes
from training.loop.schedule import schedule
from training.loop.stopping import StopRequest
from training.recipe import Evaluation, Recipe, StepPlan
from training.runs.folder import RunFolder

_TORCH_SEED = 3  # beside those of BatchOrder


class MetricsWriter(Protocol):
    """Takes the line of an evaluated epoch to where somebody looks at it."""

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Write a line."""


@dataclass(slots=True)
class LoopProgress:
    """How far a run is: the epoch and the step that come next, the steps before, and the loss parts of this epoch."""

    epoch: int = 0
    step: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


class TrainingLoop:
    """Trains the network of a recipe, and keeps its best state in the run folder."""

    def __init__(
        self,
        recipe: Recipe,
        hyperparameters: Any,
        folder: RunFolder,
        *,
        processes: Processes,
        device: torch.device,
        precision: str,
        report: ProgressReport,
        writers: Sequence[MetricsWriter] = (),
        primary_metric: str | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._recipe, self._parameters, self._folder = recipe, hyperparameters, folder
        self._processes, self._device, self._report, self._writers = processes, device, report, writers
        self._order = BatchOrder(
            seed=hyperparameters.seed,
            example_count=recipe.example_count,
            batch_size=hyperparameters.training_batch_size * processes.count,
            epochs=hyperparameters.number_of_epochs,
            rank=processes.rank,
            processes=processes.count,
        )
        self._rate = hyperparameters.learning_rate * processes.count
        self._optimizer = build_optimizer(recipe.network, hyperparameters, self._rate)
        self._schedule = schedule(hyperparameters, self._order.steps_per_epoch, hyperparameters.number_of_epochs)
        self._autocast, self._scaler = autocast(precision, device), gradient_scaler(precision, device)
        self._average = recipe.average(recipe.network)
        self._stopping = EarlyStopping(
            patience=hyperparameters.early_stopping_patience,
            delay=hyperparameters.early_stopping_delay,
            # The hosted trainer of classifiers stops an epoch sooner than that of detectors
            strictly=recipe.primary_metric == "mean_average_precision",
            enabled=hyperparameters.early_stopping,
        )
        self._progress, self._waited = LoopProgress(), 0.0
        self._metric = primary_metric or recipe.primary_metric
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._network: nn.Module = recipe.network
        if processes.count > 1:
            self._network = DistributedDataParallel(
                recipe.network, device_ids=[device.index] if device.type == "cuda" else None
            )

    @property
    def best_epoch(self) -> int:
        """The best evaluated epoch, counted from 0."""
        return self._stopping.best_epoch

    def run(self, stop: StopRequest) -> bool:
        """Train to the end, from the last state where there is one; return whether the end was reached.

        The end is the last epoch, or the first one after the score stopped rising or the time was over. TrainingError
        where the loss is not finite; OSError where the disk is full.
        """
        self._restore()
        epochs = self._parameters.number_of_epochs
        steps = self._order.steps_per_epoch
        before = self._progress.epoch * steps + self._progress.step
        with self._report.bar(epochs * steps, "training", before) as bar:
            while self._progress.epoch < epochs and not self._stopping.stop and not self._late():
                started, first = time.monotonic(), self._progress.step
                if not self._train_epoch(bar, stop):
                    self._save()
                    return False
                seconds = time.monotonic() - started
                self._end_epoch(seconds, (steps - first) / steps * self._recipe.example_count / seconds)
        return True

    def _train_epoch(self, bar: ProgressBar, stop: StopRequest) -> bool:
        progress, order = self._progress, self._order
        grouped = min(self._parameters.grad_accumulation_step, order.steps_per_epoch)
        plans = [partial(order.plan, progress.epoch, step) for step in range(progress.step, order.steps_per_epoch)]
        self._network.train()
        self._waited = 0.0
        for plan, batch in timed(prefetched(plans, self._recipe.batch), self._wait_for):
            last_of_group = (progress.step + 1) % grouped == 0 or progress.step + 1 == order.steps_per_epoch
            self._step(plan, batch, grouped, last_of_group)
            progress.step += 1
            bar.advance(note=f"epoch {progress.epoch + 1}, loss {self._mean_loss():.3g}")
            # Gradients are not kept, so a run ends only after the optimizer's step
            if last_of_group and self._processes.any(stop.asked, self._device):
                return False
        return True

    def _step(self, plan: StepPlan, batch: Any, grouped: int, last_of_group: bool) -> None:
        progress, order, processes = self._progress, self._order, self._processes
        seed = (self._parameters.seed, _TORCH_SEED, progress.epoch, progress.step, processes.rank)
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        rate = self._rate * self._schedule(progress.epoch * order.steps_per_epoch + progress.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with self._autocast():
            losses = self._recipe.losses(self._network, moved(batch, self._device))
        share = order.share(progress.step)
        total = torch.stack([each.float() for each in losses.values()]).sum() * share
        self._note(losses, share, rate)
        self._scaler.scale(total / grouped).backward()  # type: ignore[no-untyped-call]
        if last_of_group:
            self._scaler.unscale_(self._optimizer)
            clip(list(self._recipe.network.parameters()), self._parameters.grad_clip_type)
            self._scaler.step(self._optimizer)
            self._scaler.update()
            self._optimizer.zero_grad(set_to_none=True)
            if self._average is not None:
                self._average.update(self._recipe.network)

    def _note(self, losses: Mapping[str, Tensor], share: float, rate: float) -> None:
        """Add the parts of a loss to those of the epoch; TrainingError where one of them is not finite."""
        for name, tensor in losses.items():
            value = self._processes.mean(tensor.item() * share, self._device)
            if not math.isfinite(value):
                progress = self._progress
                raise TrainingError(
                    f"The loss ({name}) is {value} in epoch {progress.epoch + 1}, step {progress.step + 1}, at a "
                    f"learning rate of {rate:.3g}. Lower learning_rate (now {self._parameters.learning_rate:g}), or "
                    "raise warmup_cosine_lr_warmup_epochs."
                )
            self._progress.losses[name] = self._progress.losses.get(name, 0.0) + value

    def _wait_for(self, seconds: float) -> None:
        self._waited += seconds

    def _mean_loss(self) -> float:
        return sum(self._progress.losses.values()) / max(1, self._progress.step)

    def _end_epoch(self, seconds: float, images_per_second: float) -> None:
        progress = self._progress
        epoch, loss = progress.epoch, self._mean_loss()
        parts = {name: value / progress.step for name, value in progress.losses.items()}
        progress.epoch, progress.step, progress.losses = epoch + 1, 0, {}
        frequency = self._parameters.evaluation_frequency
        last = progress.epoch == self._parameters.number_of_epochs or self._late()
        line: dict[str, Any] = {
            "epoch": epoch,
            "log_loss_train": loss,
            "learning_rate": self._optimizer.param_groups[0]["lr"],
            **({f"{name}_train": value for name, value in parts.items()} if len(parts) > 1 else {}),
            "seconds_training": seconds,
            "images_per_second": images_per_second,
            "share_waiting_for_data": self._waited / seconds,
        }
        if epoch % frequency == 0 or last:
            self._judge(self._average.network if self._average is not None else self._recipe.network, line)
        else:
            self._report.line(self._described(line, best=False))
        if progress.epoch % self._parameters.checkpoint_frequency == 0 or last or self._stopping.stop:
            self._save()

    def _late(self) -> bool:
        late = self._deadline is not None and time.monotonic() > self._deadline
        return self._processes.any(late, self._device)

    def _judge(self, network: nn.Module, line: dict[str, Any]) -> None:
        """Evaluate, note the result, and keep the network where it is the best one so far."""
        score = None
        if self._processes.first:
            started = time.monotonic()
            evaluation = self._evaluate(network)
            line |= {**evaluation.metrics, "seconds_evaluation": time.monotonic() - started}
            self._progress.history.append(line)
            score = evaluation.metrics.get(self._metric_of(evaluation))
        best = self._is_best(line["epoch"], score)
        if self._processes.first:
            if best:
                self._keep(network, evaluation, line["epoch"])
            self._folder.write_lines("metrics.jsonl", self._progress.history)
            for writer in self._writers:
                writer.log(line["epoch"], {name: value for name, value in line.items() if name != "epoch"})
            self._report.line(self._described(line, best))

    def _is_best(self, epoch: int, score: float | None) -> bool:
        """Tell all processes the score, which the first one knows, if there is one; return whether it is the best."""
        if not self._processes.any(score is not None, self._device):
            return self._stopping.add_unmeasured(epoch)
        return self._stopping.add(epoch, self._processes.mean(score or 0.0, self._device) * self._processes.count)

    def _evaluate(self, network: nn.Module) -> Evaluation:
        network.eval()
        evaluation = self._recipe.evaluate(network)
        if self._average is None:
            network.train()
        return evaluation

    def _metric_of(self, evaluation: Evaluation) -> str:
        """Return the metric that decides: with one label alone, there are no others than the recipe's own."""
        return self._metric if self._metric in evaluation.metrics else self._recipe.primary_metric

    def _keep(self, network: nn.Module, evaluation: Evaluation, epoch: int) -> None:
        confusion = None if evaluation.confusion is None else evaluation.confusion.tolist()
        described = {
            "epoch": epoch,
            "primary_metric": self._metric_of(evaluation),
            "metrics": dict(evaluation.metrics),
            "per_label": {label: dict(values) for label, values in evaluation.per_label.items()},
            "confusion": confusion,
        }
        self._folder.save_best({"network": network.state_dict()}, described, evaluation.predictions)

    def _described(self, line: Mapping[str, Any], best: bool) -> str:
        metric = self._metric if self._metric in line else self._recipe.primary_metric
        seconds = line["seconds_training"] + line.get("seconds_evaluation", 0.0)
        score = f", {metric} {line[metric]:.4f}{' (best)' if best else ''}" if metric in line else ""
        return (
            f"epoch {line['epoch'] + 1}/{self._parameters.number_of_epochs}: loss {line['log_loss_train']:.4g}{score}, "
            f"{seconds:.1f} s, {line['images_per_second']:.1f} images/s"
        )

    def _save(self) -> None:
        if not self._processes.first:
            return
        progress = self._progress
        self._folder.save_last(
            {
                "network": self._recipe.network.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "scaler": self._scaler.state_dict(),
                "average": None if self._average is None else self._average.state_dict(),
                "stopping": self._stopping.state(),
                "epoch": progress.epoch,
                "step": progress.step,
                "losses": progress.losses,
                "history": progress.history,
            }
        )

    def _restore(self) -> None:
        state = self._folder.last()
        if state is None:
            return
        self._recipe.network.load_state_dict(state["network"])
        restore_optimizer(self._optimizer, state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self._stopping = EarlyStopping(**state["stopping"])
        self._progress = LoopProgress(state["epoch"], state["step"], state["losses"], state["history"])
        if self._processes.first:
            # Lines of epochs that are trained again
            self._folder.write_lines("metrics.jsonl", self._progress.history)
        self._report.line(f"going on at epoch {state['epoch'] + 1}, step {state['step'] + 1}")
