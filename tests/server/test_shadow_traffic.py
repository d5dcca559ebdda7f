"""When a shadow deployment agrees, and what is counted."""

import asyncio
import json
from typing import Any

import pytest

from server.errors import ServiceError
from server.inference.deployments import Deployments
from server.inference.scoring import ImageInput
from server.inference.shadow import ShadowTraffic
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure, Outcome, Reply
from server.ipc.routing_table import RoutingTable
from server.metrics import Metrics
from tests.support.routes import route


def scores(**probs: float) -> dict[str, Any]:
    return {"probs": list(probs.values()), "labels": list(probs)}


def box(label: str, *corners: float) -> dict[str, Any]:
    names = ("topX", "topY", "bottomX", "bottomY")
    return {"box": dict(zip(names, corners, strict=True)), "label": label, "score": 0.9}


class Bench:
    """Shadow traffic to one fake deployment, `green`, which replies with `prediction` or raises it."""

    def __init__(self, task: str, percent: float, prediction: Any) -> None:
        shares = {"traffic": {"blue": 100.0}, "mirror": {"green": percent}}
        self.deployments = Deployments(RoutingTable(routes=(route("blue"), route("green")), **shares))
        self.metrics = Metrics()
        self.shadow_traffic = ShadowTraffic(self.deployments, self.metrics)
        self.prediction, self.requests = prediction, 0
        blue, green = self.deployments
        blue.engines.clients[0].model = ModelFacts("resnet18", task)
        green.engines.score = self.score  # type: ignore[method-assign]
        self.blue = blue

    async def score(self, images: Any, *_: Any, **__: Any) -> Reply:
        self.requests += 1
        if isinstance(self.prediction, ServiceError):
            raise self.prediction
        return Reply([json.dumps(self.prediction).encode()] * len(images), {})

    def counted(self, *rounds: Outcome) -> dict[str, float]:
        async def run() -> None:
            for outcome in rounds:
                self.shadow_traffic.copy(self.blue, [ImageInput(b"image")], [outcome])
                await asyncio.sleep(0)
            await asyncio.sleep(0.01)

        asyncio.run(run())
        outcomes = ("same", "other", "failed", "skipped")
        found = {name: self.metrics.mirrored.labels("green", name)._value.get() for name in outcomes}
        return {name: value for name, value in found.items() if value}


@pytest.mark.parametrize(
    ("task", "one", "other", "counted"),
    [
        ("multiclass", scores(can=0.6, carton=0.4), scores(can=0.9, carton=0.1), "same"),
        ("multiclass", scores(can=0.6, carton=0.4), scores(can=0.4, carton=0.6), "other"),
        ("multiclass", scores(can=0.6, carton=0.4), scores(carton=0.1, can=0.9), "same"),
        ("multilabel", scores(can=0.6, carton=0.7), scores(can=0.9, carton=0.6), "same"),
        ("multilabel", scores(can=0.6, carton=0.7), scores(can=0.4, carton=0.7), "other"),
        ("detection", {"boxes": []}, {"boxes": []}, "same"),
        ("detection", {"boxes": [box("can", 0, 0, 1, 1)]}, {"boxes": [box("can", 0, 0, 1, 0.9)]}, "same"),
        ("detection", {"boxes": [box("can", 0, 0, 1, 1)]}, {"boxes": [box("can", 0, 0, 1, 0.4)]}, "other"),
        ("detection", {"boxes": [box("can", 0, 0, 1, 1)]}, {"boxes": [box("carton", 0, 0, 1, 1)]}, "other"),
        ("detection", {"boxes": [box("can", 0, 0, 1, 1)]}, {"boxes": []}, "other"),
        ("segmentation", {"boxes": [box("can", 0, 0, 1, 1)] * 2}, {"boxes": [box("can", 0, 0, 1, 1)]}, "other"),
        ("detection", {"boxes": [box("can", 0, 0, 0.4, 1)]}, {"boxes": [box("can", 0.6, 0, 1, 1)]}, "other"),
    ],
)
def test_what_counts_as_the_same(task: str, one: Any, other: Any, counted: str) -> None:
    assert Bench(task, 100, other).counted(json.dumps(one).encode()) == {counted: 1}


def test_only_a_share_of_the_requests_is_copied() -> None:
    bench = Bench("multiclass", 40, scores(a=1.0))
    outcome = json.dumps(scores(a=1.0)).encode()
    assert bench.counted(*[outcome] * 10) == {"same": 4}
    assert bench.requests == 4


@pytest.mark.parametrize(("code", "counted"), [("queue_full", "skipped"), ("engine_unavailable", "failed")])
def test_a_shadow_that_cannot_answer_is_counted(code: str, counted: str) -> None:
    outcome = json.dumps(scores(a=1.0)).encode()
    assert Bench("multiclass", 100, ServiceError(code, "no")).counted(outcome) == {counted: 1}


def test_images_that_were_not_scored_are_not_compared() -> None:
    bench = Bench("multiclass", 100, scores(a=1.0))
    assert bench.counted(Failure("image_format", "no picture")) == {}
    assert bench.requests == 0
