"""ShadowTraffic: sends copies of requests to shadow deployments and compares the predictions.

It shows how a new version does on real images before any client depends on it. No client waits for a copy, and
explanations are not copied.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from server.errors import ServiceError
from server.inference.deployments import Deployment, Deployments
from server.inference.scoring import ImageInput
from server.ipc.outcome import Failure, Outcome
from server.metrics import Metrics

_MAX_OPEN = 64  # copies in flight to one shadow deployment; more would only fill the memory
_MAX_OPEN_BYTES = 2**28  # of images in all those copies; they outlive the bodies that they came in
_THRESHOLD = 0.5  # a multilabel model predicts the labels of a higher probability
_MIN_IOU = 0.5  # of two boxes that count as the same object


class ShadowTraffic:
    """Copies requests by the percentages of the routing table. To be used on the deployments' event loop."""

    def __init__(self, deployments: Deployments, metrics: Metrics) -> None:
        self._deployments = deployments
        self._metrics = metrics
        self._credit: dict[str, float] = defaultdict(float)
        self._tasks: dict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._open_bytes = 0

    def copy(self, scored_by: Deployment, images: Sequence[ImageInput | Failure], outcomes: Sequence[Outcome]) -> None:
        """Send the images that `scored_by` scored to the shadow deployments, in the background.

        The metric of mirrored images counts how often their outcomes agree.
        """
        for name, percent in self._deployments.shadow_percentages().items():
            self._credit[name] += percent
            if self._credit[name] < 100 or name == scored_by.name:
                continue
            self._credit[name] -= 100
            tasks = self._tasks[name]
            size = sum(len(image.data) for image in images if isinstance(image, ImageInput))
            if len(tasks) >= _MAX_OPEN or self._open_bytes + size > _MAX_OPEN_BYTES:
                self._count(name, "skipped", len(outcomes))
                continue
            task = asyncio.create_task(
                self._compare(self._deployments.named(name), images, outcomes, scored_by.model.task)
            )
            tasks.add(task)
            self._open_bytes += size
            task.add_done_callback(partial(self._ended, name, size))

    def _ended(self, name: str, size: int, task: asyncio.Task[None]) -> None:
        self._tasks[name].discard(task)
        self._open_bytes -= size

    async def _compare(
        self, shadow: Deployment, images: Sequence[ImageInput | Failure], expected: Sequence[Outcome], task: str
    ) -> None:
        pairs = [
            (image, outcome)
            for image, outcome in zip(images, expected, strict=False)
            if isinstance(image, ImageInput) and not isinstance(outcome, Failure)
        ]
        if len(images) != len(expected) or not pairs:  # bad images were dropped, and the outcomes do not tell which
            return
        settings = {index: image.settings for index, (image, _) in enumerate(pairs) if image.settings}
        deadline = time.monotonic() + shadow.settings.request_timeout_ms / 1000
        try:
            reply = await shadow.engines.score([image.data for image, _ in pairs], deadline, settings=settings)
        except ServiceError as error:
            self._count(shadow.name, "skipped" if error.code == "queue_full" else "failed", len(pairs))
            return
        same = _COMPARISONS.get(task, _same_boxes)
        for found, (_, outcome) in zip(reply.outcomes, pairs, strict=True):
            if isinstance(found, Failure):
                self._count(shadow.name, "failed", 1)
            else:
                is_same = same(msgspec.json.decode(found), msgspec.json.decode(outcome))
                self._count(shadow.name, "same" if is_same else "other", 1)

    def _count(self, name: str, outcome: str, images: int) -> None:
        self._metrics.mirrored.labels(name, outcome).inc(images)


def _same_label(one: Any, other: Any) -> bool:
    best = [max(zip(each["probs"], each["labels"], strict=True))[1] for each in (one, other)]
    return bool(best[0] == best[1])


def _same_labels(one: Any, other: Any) -> bool:
    predicted = [
        {label for prob, label in zip(each["probs"], each["labels"], strict=True) if prob > _THRESHOLD}
        for each in (one, other)
    ]
    return predicted[0] == predicted[1]


def _same_boxes(one: Any, other: Any) -> bool:
    """Tell whether the boxes match one to one, by label and overlap."""
    unmatched = list(other["boxes"])
    for box in one["boxes"]:
        matches = [
            match for match in unmatched if match["label"] == box["label"] and _iou(box["box"], match["box"]) > _MIN_IOU
        ]
        if not matches:
            return False
        unmatched.remove(max(matches, key=lambda match: _iou(box["box"], match["box"])))
    return not unmatched


def _iou(one: Any, other: Any) -> float:
    width = min(one["bottomX"], other["bottomX"]) - max(one["topX"], other["topX"])
    height = min(one["bottomY"], other["bottomY"]) - max(one["topY"], other["topY"])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box["bottomX"] - box["topX"]) * (box["bottomY"] - box["topY"]) for box in (one, other)]
    return float(width * height / (sum(areas) - width * height))


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {"multiclass": _same_label, "multilabel": _same_labels}
