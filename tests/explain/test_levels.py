import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.errors import ExplanationError
from explain.rendering.levels import Values, levels, most_important, weights
from explain.request.parameter_types import Sign

MAP = np.array([[-4.0, 0.0], [1.0, 2.0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("sign", "expected"),
    [
        ("absolute", [[1.0, 0.0], [0.25, 0.5]]),
        ("positive", [[0.0, 0.0], [0.25, 0.5]]),
        ("signed", [[-1.0, 0.0], [0.25, 0.5]]),
    ],
)
def test_signs(sign: Sign, expected: list[list[float]]) -> None:
    assert weights(MAP, sign).tolist() == expected


def test_colours_are_summed_before_the_sign_counts() -> None:
    values = np.stack([MAP, -MAP, 2 * MAP])
    assert weights(values, "absolute").tolist() == [[1.0, 0.0], [0.25, 0.5]]
    assert weights(np.stack([MAP, -MAP, 0 * MAP]), "absolute").tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("factor", [1e-38, 1e-44, 1.0, 8e37])
def test_tiny_and_huge_maps_look_alike(factor: float) -> None:
    values = np.full((3, 4, 4), factor, dtype=np.float32)
    values[:, 0] = 0
    shown = levels(weights(values, "positive"), 2.0)
    assert shown.min() == 0
    assert shown.max() == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_an_error(bad: float) -> None:
    values = np.zeros((3, 4, 4), dtype=np.float32)
    values[1, 2, 3] = bad
    with pytest.raises(ExplanationError, match="no finite numbers") as caught:
        weights(values, "absolute")
    assert caught.value.code == "attribution_invalid"


def test_another_number_of_axes_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"shape \(4,\); expected \[3, H, W\]"):
        weights(np.zeros(4, dtype=np.float32), "absolute")


def test_the_scale_is_where_the_sums_reach_the_share() -> None:
    weight = np.arange(1, 101, dtype=np.float32).reshape(10, 10)
    # 1 + ... + 100 = 5050; 1 + ... + 99 = 4950 is 98.02 % of it, 1 + ... + 98 = 4851 only 96.1 %
    shown = levels(weight, 2.0)
    assert shown.ravel()[98] == shown.ravel()[99] == 1
    assert shown.ravel()[49] == pytest.approx(50 / 99)
    assert levels(weight, 0.0).ravel()[98] == pytest.approx(0.99)


def test_maps_without_differences() -> None:
    flat = np.zeros((5, 7), dtype=np.float32)
    assert not levels(flat, 2.0).any()
    assert (levels(flat + 0.1, 2.0) == 1).all()
    assert not most_important(flat, 0.3).any()
    assert not most_important(flat + 0.1, 0.3).any()
    assert most_important(flat, 1.0).all()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.999])
def test_without_ties_the_share_is_exact(share: float) -> None:
    weight = np.random.default_rng(0).permutation(97 * 131).astype(np.float32).reshape(97, 131)
    marked = most_important(weight, share)
    assert marked.sum() == int(share * weight.size)
    if marked.any():
        assert weight[marked].min() > weight[~marked].max()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.floats(0.0, 1.0))
def test_ties_never_exceed_the_share(values: list[int], share: float) -> None:
    weight: Values = np.array([values], dtype=np.float32)
    marked = most_important(weight, share)
    assert marked.sum() <= max(share * weight.size, 0)
    if marked.any() and not marked.all():
        assert weight[marked].min() > weight[~marked].max()
