"""What Triton's clients and tools ask beside scores: configuration, statistics and the index of the repository."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.support.servers.protocol_site import JPEG, TEXT, ProtocolSite


@pytest.fixture(scope="module")
def client(site: ProtocolSite) -> Iterator[Any]:
    with triton.InferenceServerClient(site.address, network_timeout=300, connection_timeout=300) as client:
        yield client


def tensor(*images: bytes) -> Any:
    sent = triton.InferInput("image", [len(images)], "BYTES")
    sent.set_data_from_numpy(np.array(images, dtype=object))
    return sent


def test_the_extensions_are_named(client: Any) -> None:
    extensions = client.get_server_metadata()["extensions"]
    assert extensions == ["binary_tensor_data", "classification", "model_configuration", "statistics"]


@pytest.mark.parametrize("version", ["", "1"])
def test_the_configuration_of_a_model(client: Any, version: str) -> None:
    described = client.get_model_config("fridge", version)
    scalar = {"dims": [1], "reshape": {"shape": []}}
    assert described == {
        "name": "fridge",
        "platform": "sightglass_multiclass",
        "backend": "sightglass",
        "max_batch_size": 6,
        "input": [{"name": "image", "data_type": "TYPE_STRING", **scalar}],
        "output": [
            {"name": "probs", "data_type": "TYPE_FP32", "dims": [4]},
            {"name": "label", "data_type": "TYPE_STRING", **scalar},
            {"name": "predictions", "data_type": "TYPE_STRING", **scalar},
        ],
        "dynamic_batching": {},
    }
    assert [output["name"] for output in client.get_model_config("objects")["output"]] == ["predictions"]


def statistics(client: Any, name: str) -> Any:
    (found,) = client.get_inference_statistics(name)["model_stats"]
    return found


@pytest.mark.parametrize("name", ["shelf", "objects"])
def test_statistics_count_what_was_done(site: ProtocolSite, client: Any, name: str) -> None:
    before = statistics(client, name)
    client.infer(name, [tensor(JPEG, JPEG, JPEG)])
    client.infer(name, [tensor(JPEG)])
    assert site.post(f"/v1/models/{name}:predict", {"instances": [TEXT]}).status_code == 200
    with pytest.raises(InferenceServerException, match="cannot be scored"):
        client.infer(name, [tensor(b"no image")])
    with pytest.raises(InferenceServerException, match="no output"):
        client.infer(name, [tensor(JPEG)], outputs=[triton.InferRequestedOutput("other")])

    def fails() -> int:  # a request is counted after its reply
        return int(statistics(client, name)["inference_stats"]["fail"]["count"])

    site.server.wait_for(lambda: fails() == before["inference_stats"]["fail"]["count"] + 2)
    after = statistics(client, name)
    assert after["inference_count"] - before["inference_count"] == 5
    assert 3 <= after["execution_count"] - before["execution_count"] <= 5

    def grown(what: str, of: str = "count") -> int:
        return int(after["inference_stats"][what][of]) - int(before["inference_stats"][what][of])

    assert grown("success") == 3
    # the file that is no image was read, too
    stages = ("queue", "compute_input", "compute_infer", "compute_output")
    assert [grown(stage) for stage in stages] == [6, 6, 6, 6]
    assert all(grown(stage, "ns") > 0 for stage in stages)
    assert abs(grown("success", "ns") - sum(grown(stage, "ns") for stage in stages)) < 10


def test_statistics_of_all_models(site: ProtocolSite, client: Any) -> None:
    all_of_them = client.get_inference_statistics()["model_stats"]
    assert [found["name"] for found in all_of_them] == list(site.names)
    assert all(found["version"] == "1" for found in all_of_them)
    assert client.get_inference_statistics("shelf", "1")["model_stats"] == [all_of_them[1]]


def test_the_index_lists_the_models(site: ProtocolSite, client: Any) -> None:
    ready = [{"name": name, "version": "1", "state": "READY", "reason": ""} for name in site.names]
    assert client.get_model_repository_index() == ready
    index = "/v2/repository/index"
    bodies: tuple[Any, ...] = (b"", b"{}", {"ready": True}, {"ready": False})
    for body in bodies:
        assert site.post(index, body).json() == ready
    refused: tuple[tuple[Any, str], ...] = (
        ({"ready": "perhaps"}, "'perhaps'"),
        (b"[", "as JSON"),
        (b"[]", "is a list"),
    )
    for body, words in refused:
        reply = site.post(index, body)
        assert (reply.status_code, list(reply.json())) == (400, ["error"])
        assert words in reply.json()["error"]
    assert site.post(index, b" " * 2000).status_code == 413


@pytest.mark.parametrize("what", ["config", "stats"])
def test_models_that_are_not_there_are_not_described(site: ProtocolSite, what: str) -> None:
    for path, words in (("frige", "Did you mean 'fridge'?"), ("fridge/versions/7", "has the version 1")):
        reply = site.get(f"/v2/models/{path}/{what}")
        assert reply.status_code == 404
        assert words in reply.json()["error"]
