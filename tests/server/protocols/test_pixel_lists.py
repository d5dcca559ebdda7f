"""UINT8 tensors in JSON that have more values than other JSON may have."""

import json
from typing import Any

import numpy as np
import pytest

from server.codecs.json_text import MOST_VALUES
from server.codecs.pixel_lists import parse_with_pixels, uint8_values
from server.errors import ServiceError

PIXELS = np.random.default_rng(0).integers(0, 256, (1, 300, 400, 3), dtype=np.uint8)


def request(data: Any, **more: Any) -> dict[str, Any]:
    tensor = {"name": "image", "shape": [1, 300, 400, 3], "datatype": "UINT8", "data": data}
    return {"id": "7", "parameters": {"a": [1]}, "inputs": [tensor], "outputs": [{"name": "probs"}]} | more


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("indent", [None, 1])
def test_many_pixels_become_bytes(nested: bool, indent: int | None) -> None:
    assert PIXELS.size > MOST_VALUES
    given = request((PIXELS if nested else PIXELS.flatten()).tolist())
    found = parse_with_pixels(b"\xef\xbb\xbf" + json.dumps(given, indent=indent).encode())
    assert found["inputs"][0].pop("data") == PIXELS.tobytes()
    del given["inputs"][0]["data"]
    assert found == given


def test_few_pixels_stay_a_list() -> None:
    given = request([1, 2, 3])
    assert parse_with_pixels(json.dumps(given).encode()) == given


@pytest.mark.parametrize("value", ["256", "-1", "1.0", "1e2", "null", "true", '"1"', '"1,2"', '{"a":1}', "01"])
def test_what_is_no_byte_is_refused(value: str) -> None:
    with pytest.raises(ServiceError, match="whole numbers from 0 to 255") as caught:
        uint8_values(f"[[1, 2], [{value}, 4]]".encode())
    assert caught.value.code == "input_invalid"


@pytest.mark.parametrize(
    "given",
    [
        request([0] * MOST_VALUES, inputs=[{}] * MOST_VALUES),
        request([0], parameters=[0] * MOST_VALUES),
        {"inputs": [{"datatype": "FP32", "shape": [MOST_VALUES], "data": [0.5] * MOST_VALUES}]},
        {"inputs": [{"datatype": "BYTES", "shape": [MOST_VALUES], "data": ["AAAA"] * MOST_VALUES}]},
    ],
    ids=["tensors", "parameters", "FP32", "BYTES"],
)
def test_all_else_has_the_bound_of_other_json(given: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as caught:
        parse_with_pixels(json.dumps(given).encode())
    assert caught.value.code == "too_many_values"
