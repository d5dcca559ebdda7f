"""What the page is told changes with what the server does, and its hash with what a deployment can do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.inference.deployments import Deployments
from server.ipc.client import EngineClient
from server.ipc.frame import Frame, FrameKind
from server.ipc.model_facts import AlgorithmFacts, ModelFacts
from server.ipc.routing_table import Route, RoutingTable
from server.page.description import PageDescription
from server.page.samples import MOST_SAMPLES, Samples
from settings.server import ServerSettings

FACTS = ModelFacts("resnet18", "multiclass", ("can", 7), algorithms=(AlgorithmFacts("xrai", "Regions.", 35, True),))


@pytest.fixture
def deployments() -> Deployments:
    settings = ServerSettings(max_image_bytes=1000)
    larger = ServerSettings(max_image_bytes=2000, inference_parameters=False)
    routes = (
        Route(name="blue", settings=settings, sockets=(Path("none"),), version=3),
        Route(name="green", settings=larger, sockets=(Path("none"), Path("neither"))),
    )
    return Deployments(RoutingTable(routes=routes, traffic={"blue": 90.0, "green": 10.0}, named=False))


@pytest.fixture
def description(deployments: Deployments) -> PageDescription:
    return PageDescription(deployments, ServerSettings(), Samples(None), "abc", keys_needed=True)


def engine(deployments: Deployments, name: str) -> EngineClient:
    return deployments.named(name).engines.clients[0]


def announce(client: EngineClient, ready: bool, facts: ModelFacts) -> None:
    fields = {"ready": ready, "reason": "the model is warming up", "model": facts.fields()}
    client._received(Frame(FrameKind.STATE, fields=fields))


def state_of(description: PageDescription, name: str) -> Any:
    return next(each for each in description.state()["deployments"] if each["name"] == name)


def test_it_tells_what_a_server_waits_for(deployments: Deployments, description: PageDescription) -> None:
    state = description.state()
    assert (state["page"], state["keys"], state["named"], state["draining"]) == ("abc", True, False, False)
    assert (state["ready"], state["reason"]) == (False, "; ".join(["the engine is starting"] * 3))
    announce(engine(deployments, "blue"), True, FACTS)
    deployments.draining = True
    state = description.state()
    assert (state["ready"], state["reason"], state["draining"]) == (True, "", True)
    blue, green = state["deployments"]
    assert (blue["ready"], blue["reason"], blue["version"], blue["traffic"]) == (True, "", 3, 90.0)
    assert (green["ready"], green["reason"].count("starting"), green["version"], green["traffic"]) == (False, 2, 1, 10)


def test_the_hash_of_the_facts_changes_with_them_alone(deployments: Deployments, description: PageDescription) -> None:
    seen = [state_of(description, "blue")["facts"]]
    for facts in (FACTS, replace(FACTS, runtime="openvino"), replace(FACTS, runtime="openvino", labels=("can",))):
        announce(engine(deployments, "blue"), False, facts)
        seen.append(state_of(description, "blue")["facts"])
        announce(engine(deployments, "blue"), True, facts)
        assert state_of(description, "blue")["facts"] == seen[-1]
    assert len(set(seen)) == 4
    (blue, _) = description.catalog()["deployments"]
    assert (blue["runtime"], blue["labels"], blue["version"]) == ("openvino", ["can"], 3)
    assert blue["algorithms"] == [{"name": "xrai", "summary": "Regions.", "passes": 35, "default": True}]


def test_a_longer_queue_takes_longer(deployments: Deployments, description: PageDescription) -> None:
    client = engine(deployments, "blue")
    announce(client, True, FACTS)
    client._latency[False].observe(1, 0.02)
    predicted = []
    for client.images_in_flight in (0, 10, 50):
        predicted.append(state_of(description, "blue")["queue_ms"])
    assert predicted == [0, 200, 1000]


def test_limits_are_those_of_the_deployment_that_takes_most(
    deployments: Deployments, description: PageDescription
) -> None:
    per_request = replace(FACTS, per_request=("exif",))
    for name in ("blue", "green"):
        announce(engine(deployments, name), True, per_request)
    catalog = description.catalog()
    assert catalog["limits"]["max_image_bytes"] == 2000
    assert [each["inference_parameters"] for each in catalog["deployments"]] == [True, False]


def test_a_gallery_is_no_offer(tmp_path: Path) -> None:
    for number in range(MOST_SAMPLES + 1):
        (tmp_path / f"{number:02}.jpg").write_bytes(b"")
    samples = Samples(tmp_path)
    assert samples.names == tuple(f"{number:02}.jpg" for number in range(MOST_SAMPLES))
    assert samples.read(f"{MOST_SAMPLES:02}.jpg") is None
    (tmp_path / "00.jpg").unlink()
    assert samples.read("00.jpg") is None, "it was there at the start"
