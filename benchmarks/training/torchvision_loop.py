"""A contestant: the loop of torchvision's recipe for classification, with ImageFolder and DataLoader."""

import time
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.training.classifier_parts import image_folders, initial_network, optimizer_and_schedule
from benchmarks.training.plan import read_plan, report_epoch


def main() -> None:
    """Train by the plan on the command line, and print a line of JSON an epoch."""
    plan, workers = read_plan(__doc__)
    training, validation = image_folders(plan)
    network = initial_network(plan, len(training.classes))
    torch.manual_seed(plan.seed)
    shared: dict[str, Any] = {"batch_size": plan.batch_size, "num_workers": workers, "persistent_workers": workers > 0}
    batches = DataLoader(training, shuffle=True, **shared)
    optimizer, schedule = optimizer_and_schedule(network, plan, len(batches))
    loss_of = nn.CrossEntropyLoss()
    judged = DataLoader(validation, **shared)
    for epoch in range(plan.epochs):
        network.train()
        started = time.perf_counter()
        for images, labels in batches:
            loss = loss_of(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        seconds = time.perf_counter() - started
        report_epoch(plan, epoch, len(training) / seconds, _accuracy(network, judged))


def _accuracy(network: nn.Module, batches: DataLoader[tuple[torch.Tensor, torch.Tensor]]) -> float:
    network.eval()
    right = total = 0
    with torch.inference_mode():
        for images, labels in batches:
            right += int((network(images).argmax(1) == labels).sum())
            total += len(labels)
    return right / total


if __name__ == "__main__":
    main()
