"""ShadowTraffic: copies of requests for shadow deployments, which nobody waits for, and whether those say the same.

A new version so meets real pictures before it answers anybody. Explanations are not copied.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from server.errors import ServiceError
from server.inference.deployments import Deployment, Deployments
from server.inference.scoring import ImageInput
from server.ipc.outcome import Failure, Outcome
from server.metrics import Metrics

logger = logging.getLogger(__name__)

_AT_ONCE = 64  # requests of a shadow; more would only take memory from others
_LIKELY = 0.5  # the probability above which one of several labels counts as predicted
_OVERLAP = 0.5  # the least IoU of two boxes that are of the same object


class ShadowTraffic:
    """Sends copies as the table says. To be used on the event loop of its deployments."""

    def __init__(self, deployments: Deployments, metrics: Metrics) -> None:
        self._deployments = deployments
        self._metrics = metrics
        self._credit: dict[str, float] = defaultdict(float)
        self._tasks: dict[str, set[asyncio.Task[None]]] = defaultdict(set)

    def copy(self, scored_by: Deployment, images: Sequence[ImageInput | Failure], outcomes: Sequence[Outcome]) -> None:
        """Have shadows score what was scored, and count how often they say the same; returns at once."""
        for name, percent in self._deployments.shadow_percentages().items():
            self._credit[name] += percent
            if self._credit[name] < 100 or name == scored_by.name:
                continue
            self._credit[name] -= 100
            tasks = self._tasks[name]
            if len(tasks) >= _AT_ONCE:
                self._count(name, "skipped", len(outcomes))
                continue
            task = asyncio.create_task(
                self._compare(self._deployments.named(name), images, outcomes, scored_by.model.task)
            )
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _compare(
        self, shadow: Deployment, images: Sequence[ImageInput | Failure], expected: Sequence[Outcome], task: str
    ) -> None:
        pairs = [
            (image, outcome)
            for image, outcome in zip(images, expected, strict=False)
            if isinstance(image, ImageInput) and not isinstance(outcome, Failure)
        ]
        if len(images) != len(expected) or not pairs:  # bad images were dropped, and nobody knows which
            return
        settings = {place: image.settings for place, (image, _) in enumerate(pairs) if image.settings}
        deadline = time.monotonic() + shadow.settings.request_timeout_ms / 1000
        try:
            reply = await shadow.engines.score([image.data for image, _ in pairs], deadline, settings=settings)
        except ServiceError as error:
            self._count(shadow.name, "skipped" if error.code == "queue_full" else "failed", len(pairs))
            return
        agree = _COMPARISONS.get(task, _same_boxes)
        for found, (_, outcome) in zip(reply.outcomes, pairs, strict=True):
            if isinstance(found, Failure):
                self._count(shadow.name, "failed", 1)
            else:
                agrees = agree(msgspec.json.decode(found), msgspec.json.decode(outcome))
                self._count(shadow.name, "same" if agrees else "other", 1)

    def _count(self, name: str, outcome: str, images: int) -> None:
        self._metrics.mirrored.labels(name, outcome).inc(images)


def _same_label(one: Any, other: Any) -> bool:
    best = [max(zip(each["probs"], each["labels"], strict=True))[1] for each in (one, other)]
    return bool(best[0] == best[1])


def _same_labels(one: Any, other: Any) -> bool:
    likely = [
        {label for prob, label in zip(each["probs"], each["labels"], strict=True) if prob > _LIKELY}
        for each in (one, other)
    ]
    return likely[0] == likely[1]


def _same_boxes(one: Any, other: Any) -> bool:
    """Whether each box has one of its label in the other's place, and there are no more."""
    left = list(other["boxes"])
    for box in one["boxes"]:
        mates = [
            mate for mate in left if mate["label"] == box["label"] and _overlap(box["box"], mate["box"]) > _OVERLAP
        ]
        if not mates:
            return False
        left.remove(max(mates, key=lambda mate: _overlap(box["box"], mate["box"])))
    return not left


def _overlap(one: Any, other: Any) -> float:
    width = min(one["bottomX"], other["bottomX"]) - max(one["topX"], other["topX"])
    height = min(one["bottomY"], other["bottomY"]) - max(one["topY"], other["topY"])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box["bottomX"] - box["topX"]) * (box["bottomY"] - box["topY"]) for box in (one, other)]
    return float(width * height / (sum(areas) - width * height))


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {"multiclass": _same_label, "multilabel": _same_labels}
