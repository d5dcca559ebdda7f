"""Trains the multiclass demo model, and tests it on pictures it never saw, seen as the server will see them."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from examples.fridge.allocator import keep_freed_memory
from examples.fridge.course import COURSES, SIZES, TEST_PICTURES, TEST_SIZE, Stage
from examples.fridge.drawings import Drawing, draw_pictures
from examples.fridge.glimpse import glimpse
from examples.fridge.network import ARCHITECTURE, Guided, guided_loss
from examples.fridge.progress import Progress
from examples.fridge.scene import LABELS
from examples.fridge.seeds import TEST_BLOCK, seeds
from examples.fridge.task import Trained
from models.preprocess import Preprocess

_PREPROCESS = Preprocess(SIZES["valid_resize_size"], SIZES["valid_crop_size"])
_SETTLING_BATCHES = 4


def train_classifier(seed: int) -> Trained:
    """Draw the pictures, train on them, and test on others; takes about two minutes on two processors."""
    keep_freed_memory()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Guided(len(LABELS))
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.02, fused=True)
    for block, course in enumerate(COURSES):
        drawings = draw_pictures("drawing", seeds(seed, block, course.drawings), course.size)
        progress = Progress("training", sum(stage.shown * stage.pixels**2 for stage in course.stages))
        for stage in course.stages:
            _train_stage(model, optimizer, stage, _batches(rng, drawings, stage), progress)
    _settle(model.network, _batches(rng, drawings, stage))
    unseen = draw_pictures("drawing unseen pictures", seeds(seed, TEST_BLOCK, TEST_PICTURES), TEST_SIZE)
    return _trained(model.network, unseen, _probabilities(model.network, unseen))


def _batches(
    rng: np.random.Generator, drawings: Sequence[Drawing], stage: Stage
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield inputs float32 [N, 3, n, n], labels int64 [N] and kinds int64 [N, n // 4, n // 4], in a random order."""
    order = np.concatenate([rng.permutation(len(drawings)) for _ in range(-(-stage.shown // len(drawings)))])
    for start in range(0, stage.shown, stage.batch):
        chosen = [drawings[index] for index in order[start : min(start + stage.batch, stage.shown)]]
        seen = [glimpse(rng, drawing, stage.pixels, stage.closeup) for drawing in chosen]
        pictures = torch.from_numpy(np.stack([one.picture for one in seen]))
        kinds = torch.from_numpy(np.stack([one.kinds for one in seen])).long()
        yield _PREPROCESS.inputs(pictures), torch.tensor([drawing.label for drawing in chosen]), kinds


def _train_stage(
    model: Guided,
    optimizer: torch.optim.Optimizer,
    stage: Stage,
    batches: Iterator[tuple[Tensor, Tensor, Tensor]],
    progress: Progress,
) -> None:
    model.train()
    first, last = stage.rates
    for step, (inputs, labels, kinds) in enumerate(batches):
        share = step * stage.batch / stage.shown
        for group in optimizer.param_groups:
            group["lr"] = first * (last / first) ** share
        loss = guided_loss(model(inputs), labels, kinds)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress.advance(len(inputs) * stage.pixels**2, f"loss {loss.item():.2f}")


def _settle(network: nn.Module, batches: Iterator[tuple[Tensor, Tensor, Tensor]]) -> None:
    """Give the batch norms the statistics of the last stage alone; its few steps only began to move them."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    with torch.inference_mode():
        for inputs, _, _ in islice(batches, _SETTLING_BATCHES):
            network(inputs)
    network.eval()


def _probabilities(network: nn.Module, drawings: Sequence[Drawing]) -> NDArray[np.float32]:
    """Score pictures as the server does: float32 [N, labels]."""
    progress = Progress("testing", len(drawings))
    rows = []
    with torch.inference_mode():
        for start in range(0, len(drawings), 8):
            chosen = drawings[start : start + 8]
            pictures = torch.stack([_PREPROCESS.picture(Image.fromarray(drawing.picture)) for drawing in chosen])
            rows.append(network(_PREPROCESS.inputs(pictures)).softmax(1).numpy())
            progress.advance(len(chosen))
    return np.concatenate(rows)


def _trained(network: nn.Module, unseen: Sequence[Drawing], probabilities: NDArray[np.float32]) -> Trained:
    truth, said = np.array([drawing.label for drawing in unseen]), probabilities.argmax(1)
    checkpoint = {
        "model_name": ARCHITECTURE,
        "number_of_classes": len(LABELS),
        "specs": {"multilabel": False, "model_settings": SIZES, "labels": list(LABELS)},
        "model_state": {name: tensor.contiguous() for name, tensor in network.state_dict().items()},
    }
    details = {
        "architecture": ARCHITECTURE,
        "accuracy_per_label": {
            label: float((said == truth)[truth == index].mean()) for index, label in enumerate(LABELS)
        },
        "mean_probability": float(probabilities.max(1).mean()),
        "test_pictures": len(unseen),
    }
    return Trained(checkpoint, SIZES, float((said == truth).mean()), details)
