"""A small residual network, trained in the run to name the patterns in drawn images, and explained afterwards.

It trains on images of 0 to 3 objects, so that neither an object nor the lack of one is evidence for the label of
another: all evidence for a label is in that label's object.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from examples.fridge.progress import progress_bar
from examples.patterns.scene import LABELS, MOST_OBJECTS, SIDE, draw_scene
from explain.network.executor import Executor
from models.architecture.cam_layer import CamLayer
from models.images.preprocess import Preprocess

SHOWN = 9600  # images, little more than a minute on two cores

_PREPROCESS = Preprocess(SIDE, SIDE)
_DRAWN = 2000  # each is shown several times
_UNSEEN = range(900_000, 900_256)
_BATCH = 32
_GROUP = 8  # images of a batch that get the same augmentation
_RATE = 6e-3


class _Block(nn.Module):
    """Two convolutions with a shortcut around them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(inner + self.shortcut(x))


class PatternNetwork(nn.Module):
    """Maps inputs [N, 3, H, W] to a logit per label, [N, 4]; 0.1 G multiplications for 112x112."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU())
        self.stage1 = _Block(24, 24, 1)
        self.stage2 = _Block(24, 48, 2)
        self.stage3 = nn.Sequential(_Block(48, 96, 2), _Block(96, 96, 1))
        self.head = nn.Linear(96, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of inputs."""
        logits: Tensor = self.head(self.stage3(self.stage2(self.stage1(self.stem(x)))).mean((2, 3)))
        return logits


def train(shown: int) -> PatternNetwork:
    """Draw images, and train on `shown` views of them, flipped and recoloured."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = PatternNetwork().to(memory_format=torch.channels_last)
    steps = shown // _BATCH
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps, pct_start=0.2)
    images, present = _drawn(range(min(_DRAWN, shown)), rng)
    progress = progress_bar("training", _batches(rng, len(images), steps), total=steps)
    for chosen in progress:
        batch = torch.cat([_augmented(rng, part) for part in torch.split(images[chosen], _GROUP)])
        logits = network(_PREPROCESS.inputs(batch))
        loss = functional.binary_cross_entropy_with_logits(logits, present[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        progress.set_postfix_str(f"loss {loss.item():.3f}", refresh=False)
    return network.eval()


def save(network: nn.Module, file: Path) -> None:
    """Write the weights of a network."""
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, file)


def load(file: Path) -> PatternNetwork:
    """Read a network that `save` wrote."""
    network = PatternNetwork()
    network.load_state_dict(load_file(file))
    return network.to(memory_format=torch.channels_last).eval()


def executor(network: nn.Module) -> Executor:
    """Return the executor of a trained network, whose weights need no gradients from now on."""
    last_map = CamLayer("stage3")  # 14x14
    return Executor(
        network.requires_grad_(False), torch.device("cpu"), _PREPROCESS.inputs, lambda _: last_map, independent=True
    )


def _drawn(seeds: Sequence[int], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    images, present = [], torch.zeros(len(seeds), len(LABELS))
    for row, seed in zip(present, progress_bar("drawing", seeds), strict=True):
        chosen = rng.permutation(len(LABELS))[: rng.integers(MOST_OBJECTS + 1)]
        images.append(draw_scene(seed, labels=[LABELS[index] for index in chosen]).image)
        row[torch.from_numpy(chosen)] = 1
    return torch.from_numpy(np.stack(images)), present


def _batches(rng: np.random.Generator, number: int, steps: int) -> Iterator[Tensor]:
    for _ in range(steps):
        yield torch.from_numpy(rng.choice(number, _BATCH, replace=number < _BATCH))


def _augmented(rng: np.random.Generator, images: Tensor) -> Tensor:
    """Flip images, shuffle their colours and turn them into negatives, each at random; textures stay."""
    flipped = images.flip([axis for axis in (1, 2) if rng.random() < 0.5])
    shuffled = flipped[..., torch.from_numpy(rng.permutation(3))]
    return 255 - shuffled if rng.random() < 0.5 else shuffled


def accuracy(network: nn.Module) -> float:
    """Return the share of labels, present or not, that are predicted right on images that training never saw."""
    right = 0
    images, present = _drawn(_UNSEEN, np.random.default_rng(1))
    with torch.no_grad():
        for part, wanted in zip(torch.split(images, _BATCH), torch.split(present, _BATCH), strict=True):
            right += int(((network(_PREPROCESS.inputs(part)) > 0) == (wanted > 0)).sum())
    return right / present.numel()
