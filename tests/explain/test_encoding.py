import json
from base64 import b64decode
from io import BytesIO
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from explain.encoding import encode
from explain.errors import ExplanationError
from explain.request.parameter_types import AttributionsFormat

RANDOM = np.random.default_rng(0)
COLOURED: NDArray[np.float32] = RANDOM.normal(0, 3, (3, 7, 5)).astype(np.float32)
FLAT: NDArray[np.float32] = COLOURED[0]
FORMS: tuple[AttributionsFormat, ...] = ("list", "npy_base64", "png16")


def decoded(form: AttributionsFormat, content: Any) -> NDArray[Any]:
    content = json.loads(json.dumps(content))
    if form == "list":
        return np.array(content)
    if form == "npy_base64":
        values: NDArray[Any] = np.load(BytesIO(b64decode(content)), allow_pickle=False)
        return values
    pixels = np.asarray(Image.open(BytesIO(b64decode(content["png_base64"]))), dtype=np.float64)
    shaped: NDArray[Any] = (pixels * content["scale"] + content["offset"]).reshape(content["shape"])
    return shaped


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("values", [COLOURED, FLAT], ids=["coloured", "flat"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_encoded_comes_back(
    form: AttributionsFormat, values: NDArray[np.float32], channels: Literal[1, 3]
) -> None:
    expected = values
    if channels == 1 and values.ndim == 3:
        expected = values.sum(axis=0)
    if channels == 3 and values.ndim == 2:
        expected = np.stack([values] * 3)
    found = decoded(form, encode(values, form, channels))
    assert found.shape == expected.shape
    half_a_step = (expected.max() - expected.min()) / 65535 / 2 if form == "png16" else 0
    assert np.abs(found - expected).max() <= half_a_step * 1.0001


def test_lists_hold_the_exact_numbers_of_float32() -> None:
    assert encode(np.full((1, 1), 0.1, dtype=np.float32), "list", 1) == [[0.10000000149011612]]


def test_npy_files_hold_float32() -> None:
    assert decoded("npy_base64", encode(COLOURED.astype(np.float64), "npy_base64", 3)).dtype == np.float32


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [0.0, -2.5, 1e-40, 3e38])
def test_constant_maps(form: AttributionsFormat, value: float) -> None:
    values = np.full((2, 3), value, dtype=np.float32)
    assert np.allclose(decoded(form, encode(values, form, 1)), values, rtol=1e-6, atol=0)


def test_the_widest_range_fits() -> None:
    values = np.array([[-3e38, 0, 3e38]], dtype=np.float32)
    found = decoded("png16", encode(values, "png16", 1))
    assert np.abs(found - values).max() <= 6e38 / 65535 / 2 * 1.0001


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_an_error(form: AttributionsFormat, bad: float) -> None:
    values = COLOURED.copy()
    values[0, 0, 0] = bad
    with pytest.raises(ExplanationError, match="no finite numbers") as caught:
        encode(values, form, 3)
    assert caught.value.code == "attribution_invalid"
