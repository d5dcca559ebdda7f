"""The regions of XRAI and their ranking, bit for bit those of PAIR's saliency 0.2.1."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from saliency.core import xrai as pair
from scipy import ndimage
from skimage.segmentation import felzenszwalb

from explain.regions import oversegmentation, ranking
from explain.regions import segments as grown_segments
from explain.regions.oversegmentation import SCALES, label_maps
from explain.regions.ranking import ranked, warm_up
from explain.regions.segments import Segments, grown, segments
from models import machine_code as compilation
from models.machine_code import compiled
from tests.support.images import painted

Pixels = NDArray[np.uint8]
Masks = list[NDArray[np.bool_]]


def framed() -> Pixels:
    """Black bars, as cropping leaves them: large areas where all edges cost the same."""
    pixels = painted(8, 224, 224)
    pixels[:60] = pixels[200:] = 0
    return pixels


def busy() -> Pixels:
    """Hundreds of regions."""
    noise = np.random.default_rng(0).normal(size=(224, 224, 3))
    values = ndimage.gaussian_filter(noise, (4, 4, 0))
    pixels: Pixels = ((values - values.min()) / np.ptp(values) * 255).astype(np.uint8)
    return pixels


IMAGES = {
    "224x224": painted(3, 224, 224),
    "busy": busy(),
    "framed": framed(),
    "wide": painted(4, 131, 97),
    "tall and large": painted(5, 260, 301),
    "small": painted(6, 40, 33),
    "one line": painted(7, 60, 1),
    "two colours": np.repeat(np.array([[[0] * 3] * 90 + [[255] * 3] * 70], np.uint8), 120, 0),
}


@pytest.fixture(scope="module", params=IMAGES)
def pixels(request: pytest.FixtureRequest) -> Pixels:
    return IMAGES[request.param]


@pytest.fixture(scope="module")
def masks(pixels: Pixels) -> Masks:
    # PAIR's examples hand over values in [0, 255] as float32
    found: Masks = pair._get_segments_felzenszwalb(pixels.astype(np.float32))
    return found


def attribution(shape: tuple[int, ...], dtype: Any = np.float32, seed: int = 0) -> NDArray[Any]:
    values = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape[:2]), 2)
    result: NDArray[Any] = values.astype(dtype)
    return result


def reference(values: NDArray[Any], masks: Masks, *, fast: bool, area_threshold: float = 1.0) -> NDArray[np.float64]:
    rank = pair.XRAI._xrai_fast if fast else pair.XRAI._xrai
    found: NDArray[np.float64] = rank(attr=values, segs=masks, area_perc_th=area_threshold)[0]
    return found


def test_regions_equal_pairs(pixels: Pixels, masks: Masks) -> None:
    found = segments(pixels)
    regions = [region for region in map(found.region, range(len(found))) if len(region)]
    expected = [np.flatnonzero(mask) for mask in masks if mask.any()]
    assert len(regions) == len(expected)
    assert all(np.array_equal(region, mask) for region, mask in zip(regions, expected, strict=True))


@pytest.mark.parametrize("ranking", ["fast", "full", "area 0.3"])
def test_rankings_equal_pairs(pixels: Pixels, masks: Masks, ranking: str) -> None:
    values = attribution(pixels.shape)
    options = {"fast": ranking == "fast", "area_threshold": 0.3 if ranking == "area 0.3" else 1.0}
    found = ranked(values, segments(pixels), **options)  # type: ignore[arg-type]
    assert found.dtype == np.float64
    assert np.array_equal(found, reference(values, masks, **options))  # type: ignore[arg-type]
    assert found.sum() == pytest.approx(values.sum(dtype=np.float64), rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("kind", ["float64", "flat", "few values", "far from 0"])
def test_rankings_of_special_values_equal_pairs(kind: str) -> None:
    pixels = IMAGES["wide"]
    values = attribution(pixels.shape, np.float64 if kind == "float64" else np.float32)
    if kind == "flat":
        values[:] = 0.25
    elif kind == "few values":
        values = np.sign(values)
    elif kind == "far from 0":
        values = values * np.float32(1e-3) + np.float32(1000)
    masks = pair._get_segments_felzenszwalb(pixels.astype(np.float32))
    for fast in (True, False):
        assert np.array_equal(ranked(values, segments(pixels), fast=fast), reference(values, masks, fast=fast))


def test_label_maps_equal_scikit_images() -> None:
    pixels = IMAGES["busy"]
    values = pair._normalize_image(pixels.astype(np.float32), [-1, 1], (224, 224))
    for labels, scale in zip(label_maps(pixels), SCALES, strict=True):
        assert np.array_equal(labels, felzenszwalb(values, scale=scale, sigma=0.8, min_size=150))


def test_an_image_of_one_colour_is_one_region() -> None:
    pixels = np.full((50, 60, 3), 7, np.uint8)
    found = segments(pixels)
    assert len(found) == 1
    values = attribution(pixels.shape)
    for fast in (True, False):
        assert np.array_equal(ranked(values, found, fast=fast), np.full((50, 60), values.reshape(-1).mean()))


def test_tiny_images_leave_no_region_to_take() -> None:
    pixels = painted(1, 5, 4)
    values = attribution(pixels.shape)
    for fast in (True, False):
        assert np.array_equal(ranked(values, segments(pixels), fast=fast), np.full((4, 5), values.reshape(-1).mean()))


def test_regions_grow_by_five_pixels() -> None:
    labels = np.zeros((21, 21), np.int32)
    labels[10, 10] = 1
    found = grown([labels])
    y, x = np.divmod(found.region(1), 21)
    assert len(y) == 81
    assert ((y - 10) ** 2 + (x - 10) ** 2).max() == 25
    assert len(found.region(0)) == 21 * 21


def test_values_and_regions_must_agree() -> None:
    regions = Segments(4, 5, np.array([0, 20]), np.arange(20, dtype=np.int32))
    with pytest.raises(ValueError, match=r"values are \(5, 4\), but the regions \(4, 5\)"):
        ranked(np.zeros((5, 4), np.float32), regions, fast=True)


def test_compiling_works_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []

    def read_only(*, nogil: bool, cache: bool = False) -> Any:
        kept.append(cache)

        def compiler(function: Any) -> Any:
            if cache:
                raise RuntimeError("cannot cache function: no locator available")
            return function

        return compiler

    monkeypatch.setattr(compilation, "njit", read_only)
    assert compiled(abs)(-2) == 2
    assert kept == [True, False]


def test_warming_up_compiles_what_requests_run() -> None:
    warm_up()
    loops: list[Any] = [oversegmentation._segment, grown_segments._grown, ranking._totals, ranking._regions_of_pixels]
    known = [loop.signatures for loop in (*loops, ranking._subtract)]
    found = segments(IMAGES["wide"])
    ranked(attribution(IMAGES["wide"].shape), found, fast=False)
    assert all(known)
    assert [len(loop.signatures) for loop in (*loops, ranking._subtract)] == [len(one) for one in known]
