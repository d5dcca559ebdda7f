"""A contestant: Hugging Face's Trainer."""

import tempfile
import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import EvalPrediction, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from benchmarks.training.classifier_parts import image_folders, initial_network, optimizer_and_schedule
from benchmarks.training.plan import TrainingPlan, read_plan, report_epoch


class NetworkWithLoss(nn.Module):
    """A network in the form that Trainer wants: images and labels in, loss and logits out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Map images [N, 3, H, W] and labels [N] to the loss, a scalar, and logits [N, labels]."""
        logits = self.network(pixel_values)
        return {"loss": functional.cross_entropy(logits, labels), "logits": logits}


class EpochTimes(TrainerCallback):  # type: ignore[misc]
    """Times the training part of each epoch, and reports it once the epoch is evaluated."""

    def __init__(self, plan: TrainingPlan, images: int) -> None:
        self._plan, self._images, self._started, self._rate, self._epoch = plan, images, 0.0, 0.0, 0

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        """Stop the clock; evaluation follows."""
        self._rate = self._images / (time.perf_counter() - self._started)

    def on_evaluate(self, *_: Any, metrics: dict[str, float], **__: Any) -> None:
        """Report the epoch."""
        report_epoch(self._plan, self._epoch, self._rate, metrics["eval_accuracy"])
        self._epoch += 1


def main() -> None:
    """Train by the plan on the command line, and print a line of JSON an epoch."""
    plan, workers = read_plan(__doc__)
    training, validation = image_folders(plan)
    model = NetworkWithLoss(initial_network(plan, len(training.classes)))
    steps = -(-len(training) // plan.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                use_cpu=True,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                eval_strategy="epoch",
                disable_tqdm=True,
                num_train_epochs=plan.epochs,
                per_device_train_batch_size=plan.batch_size,
                per_device_eval_batch_size=plan.batch_size,
                dataloader_num_workers=workers,
                dataloader_persistent_workers=workers > 0,
                remove_unused_columns=False,
                max_grad_norm=0.0,
                seed=plan.seed,
            ),
            data_collator=_collated,
            train_dataset=training,
            eval_dataset=validation,
            compute_metrics=_accuracy,
            optimizers=optimizer_and_schedule(model, plan, steps),
            callbacks=[EpochTimes(plan, len(training))],
        )
        # Its lines would stand among ours
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def _collated(examples: list[tuple[Tensor, int]]) -> dict[str, Tensor]:
    images, labels = zip(*examples, strict=True)
    return {"pixel_values": torch.stack(images), "labels": torch.tensor(labels)}


def _accuracy(prediction: EvalPrediction) -> dict[str, float]:
    return {"accuracy": float((prediction.predictions.argmax(1) == prediction.label_ids).mean())}


if __name__ == "__main__":
    main()
