from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from explain.errors import ExplanationError
from explain.rendering import visualizations
from explain.rendering.attribution_image import AttributionImage, FullImage, Style
from explain.rendering.colours import COLOUR_MAPS, colour_table
from explain.rendering.drawing import draw, style
from explain.rendering.png import encode_grey16, encode_rgb
from explain.rendering.visualization import Visualization
from explain.request.parameters import read_parameters
from models.discovery import constants
from models.images.lettering import shortened, typeface, writable
from tests.support.images import painted

NAMES = [name for name, _ in constants(visualizations, "VISUALIZATION")]
SIDE = 512
FIRST, SECOND, THIRD, FOURTH = (56, 152), (632, 152), (56, 772), (632, 772)


def bump(height: int, width: int) -> NDArray[np.float32]:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    hill: NDArray[np.float32] = np.exp(-4 * ((x - 0.2) ** 2 + (y + 0.1) ** 2)).astype(np.float32)
    return hill


def attribution_image(height: int = 224, width: int = 224, **changes: Any) -> AttributionImage:
    fields: dict[str, Any] = {
        "pixels": painted(1, width, height),
        "values": bump(height, width),
        "label": "milk_bottle",
        "confidence": 0.99873,
        "algorithm": "xrai",
    }
    return AttributionImage(**fields | changes)


def drawn(image: AttributionImage, **choices: Any) -> NDArray[np.uint8]:
    opened = Image.open(BytesIO(draw(image, Style(**choices))))
    assert opened.mode == "RGB"
    return np.asarray(opened)


def panel(pixels: NDArray[np.uint8], corner: tuple[int, int], side: int = SIDE) -> NDArray[np.uint8]:
    return pixels[corner[1] : corner[1] + side, corner[0] : corner[0] + side]


def resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def test_every_file_holds_its_visualization() -> None:
    found = dict(constants(visualizations, "VISUALIZATION"))
    assert set(found) == {"contours", "grid", "heatmap", "overlay"}
    for stem, value in found.items():
        assert isinstance(value, Visualization)
        assert value.name == stem
        assert value.meaning.endswith(".")


def test_the_grid_is_laid_out_as_promised() -> None:
    one = attribution_image()
    grid = drawn(one)
    assert grid.shape == (1366, 1200, 3)
    enlarged = resized(one.pixels, SIDE, SIDE)
    assert (panel(grid, FIRST) == enlarged).all()
    table = {tuple(colour) for colour in colour_table("bgyw").tolist()}
    heat = panel(grid, SECOND)
    assert {tuple(colour) for colour in heat.reshape(-1, 3).tolist()} <= table
    grey = enlarged.mean(axis=2, keepdims=True).astype(np.uint8)
    blend = panel(grid, THIRD).astype(float)
    assert np.abs(blend - (grey.astype(float) + heat) / 2).max() <= 1
    top = panel(grid, FOURTH)
    kept = (top == enlarged).all(axis=2) & enlarged.any(axis=2)
    assert kept.mean() == pytest.approx(0.3, abs=0.01)
    assert (~top.any(axis=2)).mean() == pytest.approx(0.7, abs=0.01)


def test_the_brightest_spot_of_the_heat_map_is_where_the_attribution_is() -> None:
    values = np.zeros((224, 224), dtype=np.float32)
    values[40:60, 150:170] = 1
    for sign in ("absolute", "positive"):
        heat = panel(drawn(attribution_image(values=values), sign=sign), SECOND)
        assert tuple(heat[int(50 / 224 * SIDE), int(160 / 224 * SIDE)]) == tuple(colour_table("bgyw")[255])
        assert tuple(heat[400, 100]) == tuple(colour_table("bgyw")[0])


def test_the_margins_are_even_and_empty() -> None:
    grid = drawn(attribution_image())
    ink = (grid != 255).any(axis=2)
    assert not ink[:, :54].any()
    assert not ink[:, -54:].any()
    assert not ink[:20].any()
    assert not ink[-20:].any()
    assert not ink[150:, 572:628].any()  # the gutter


def test_a_colour_bar_stands_below_maps_only() -> None:
    grid = drawn(attribution_image())
    ramp = colour_table("bgyw")[np.linspace(0, 255, SIDE).round().astype(int)]
    for left, top in (SECOND, THIRD):
        assert (grid[top + SIDE + 16, left : left + SIDE] == ramp).all()
    for left, top in (FIRST, FOURTH):
        assert (grid[top + SIDE + 16, left : left + SIDE] == 255).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", ["absolute", "positive", "signed"])
def test_the_same_image_gives_the_same_bytes(name: str, sign: Any) -> None:
    one = attribution_image(160, 160, values=bump(160, 160) - 0.3)
    chosen = Style(visualization=name, sign=sign)
    assert draw(one, chosen) == draw(one, chosen)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", ["absolute", "positive", "signed"])
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0], ids=["zero", "one", "minus one"])
def test_maps_without_differences_are_drawn(name: str, sign: Any, value: float) -> None:
    values = np.full((3, 64, 64), value, dtype=np.float32)
    assert drawn(attribution_image(64, 64, values=values), visualization=name, sign=sign).size


@pytest.mark.parametrize("name", NAMES)
def test_values_that_are_no_numbers_are_an_error(name: str) -> None:
    values = bump(64, 64)
    values[3, 4] = np.nan
    with pytest.raises(ExplanationError, match="no finite numbers"):
        draw(attribution_image(64, 64, values=values), Style(visualization=name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(160, 160), (97, 131), (131, 97), (1, 1), (3, 300), (300, 3)], ids=str)
def test_odd_shapes(name: str, size: tuple[int, int]) -> None:
    one = attribution_image(*size, values=np.ones((3, *size), dtype=np.float32) * bump(*size))
    assert drawn(one, visualization=name).shape[1] >= 552
    assert drawn(one, visualization=name, captions=False).size


@pytest.mark.parametrize("name", ["contours", "heatmap", "overlay"])
def test_without_captions_an_image_has_its_own_size(name: str) -> None:
    one = attribution_image(97, 131)
    assert drawn(one, visualization=name, captions=False).shape == (97, 131, 3)


def test_the_whole_image_keeps_its_resolution_and_shows_the_map_in_its_place() -> None:
    full_image = FullImage(painted(2, 400, 300), (50.0, 0.0, 350.0, 300.0))
    one = attribution_image(values=np.ones((224, 224), dtype=np.float32), full_image=full_image)
    bare = drawn(one, visualization="overlay", extent="picture", captions=False, overlay_opacity=1.0)
    assert bare.shape == (300, 400, 3)
    assert (bare[:, :50] == full_image.pixels[:, :50]).all()
    assert (bare[:, 350:] == full_image.pixels[:, 350:]).all()
    assert (bare[:, 50:350] == colour_table("bgyw")[255]).all()
    grid = drawn(one, extent="picture")
    assert (grid[152 : 152 + 384, 56 : 56 + 512] == resized(full_image.pixels, 512, 384)).all()


def test_a_bare_heat_map_can_lie_over_the_whole_image() -> None:
    one = attribution_image(full_image=FullImage(painted(2, 400, 300), (50.0, 0.0, 350.0, 300.0)))
    opened = Image.open(BytesIO(draw(one, Style("heatmap", extent="picture", captions=False))))
    assert opened.mode == "RGBA"
    heat = np.asarray(opened)
    assert (heat[:, 50:350, 3] == 255).all()
    assert not heat[:, :50, 3].any() and not heat[:, 350:, 3].any()
    crop = drawn(one, visualization="heatmap", captions=False)
    assert np.abs(heat[:, 50:350, :3].astype(int) - resized(crop, 300, 300)).mean() < 3
    whole = attribution_image(full_image=FullImage(painted(2, 400, 300), (-1.0, 0.0, 401.0, 300.0)))
    assert drawn(whole, visualization="heatmap", extent="picture", captions=False).shape == (300, 400, 3)


@pytest.mark.parametrize("name", NAMES)
def test_a_crop_may_reach_beyond_the_image(name: str) -> None:
    one = attribution_image(full_image=FullImage(painted(2, 60, 40), (-20.5, -30.0, 81.0, 70.25)))
    assert drawn(one, visualization=name, extent="picture").size
    assert drawn(one, visualization=name, extent="picture", captions=name == "grid").size


def test_a_large_image_is_bounded() -> None:
    full_image = FullImage(np.zeros((30, 5000, 3), dtype=np.uint8), (2485.0, 0.0, 2515.0, 30.0))
    one = attribution_image(full_image=full_image)
    assert drawn(one, visualization="overlay", extent="picture", captions=False).shape[1] == 2048


def test_without_the_whole_image_the_crop_is_shown() -> None:
    assert (drawn(attribution_image(64, 64), extent="picture") == drawn(attribution_image(64, 64))).all()


def test_contours_leave_most_of_the_image_alone() -> None:
    one = attribution_image()
    lined = drawn(one, visualization="contours", captions=False)
    changed = (lined != one.pixels).any(axis=2)
    assert 0.005 < changed.mean() < 0.15
    centre = changed[90:110, 125:140]
    assert not centre.any()
    assert (drawn(attribution_image(values=np.zeros((224, 224), np.float32)), visualization="contours", captions=False)
            == one.pixels).all()  # fmt: skip


def test_a_signed_map_uses_both_ends_of_its_colours() -> None:
    values = bump(224, 224) - bump(224, 224)[::-1, ::-1]
    heat = drawn(attribution_image(values=values), visualization="heatmap", sign="signed", captions=False)
    table = colour_table("bwy").tolist()
    found = {table.index(colour) for colour in np.unique(heat.reshape(-1, 3), axis=0).tolist()}
    assert {0, 255} <= found
    assert abs(int(np.asarray(table[128]).sum()) - int(heat[0, 0].sum())) < 12


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colour_maps(name: str) -> None:
    table = colour_table(name)
    assert table.shape == (256, 3)
    heat = drawn(attribution_image(64, 64), visualization="heatmap", colour_map=name, captions=False)
    assert {tuple(colour) for colour in heat.reshape(-1, 3).tolist()} <= {tuple(colour) for colour in table.tolist()}


def test_unknown_names_are_programming_errors() -> None:
    with pytest.raises(KeyError, match="jet"):
        draw(attribution_image(64, 64), Style(colour_map="jet"))
    with pytest.raises(KeyError, match="poster"):
        draw(attribution_image(64, 64), Style(visualization="poster"))


def test_a_map_of_another_size_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match=r"\(10, 10\) for a picture of \(64, 64\)"):
        draw(attribution_image(64, 64, values=bump(10, 10)), Style())


@pytest.mark.parametrize(
    "label",
    ["", "a" * 5000, "two\nlines\ttab", "日本語のラベル" * 30, "عربى", "\ud800", "\x00", "e\u0301té", "🍎", "W" * 70],
    ids=["empty", "long", "control", "cjk", "arabic", "surrogate", "nul", "combining", "emoji", "wide"],
)
def test_any_label_can_be_written(label: str) -> None:
    pixels = drawn(attribution_image(64, 64, label=label), visualization="heatmap")
    ink = (pixels != 255).any(axis=2)
    assert not ink[:110, :50].any()
    assert not ink[:110, -50:].any()


def test_long_labels_keep_both_ends() -> None:
    text = shortened("species_of_bird_" * 20 + "final", 30, 400)
    assert text.startswith("species")
    assert text.endswith("final")
    assert "…" in text
    assert typeface(30).getlength(text) <= 400
    assert shortened("milk_bottle", 30, 400) == "milk_bottle"
    assert writable("Crème\nbrûlée") == "Creme brulee"


def test_small_confidences_are_not_rounded_to_nothing() -> None:
    few, none = (drawn(attribution_image(64, 64, confidence=value), visualization="heatmap") for value in (1e-6, 0.0))
    assert (few != none).any()


def test_a_request_says_how_to_draw() -> None:
    content = {"visualization": "overlay", "sign": "signed", "captions": False, "overlay_opacity": 0.7}
    assert style(read_parameters(content)) == Style(
        visualization="overlay", sign="signed", captions=False, overlay_opacity=0.7
    )
    assert Style(sign="signed").colours == "bwy"
    assert Style().colours == "bgyw"


def test_png_files_hold_what_was_encoded() -> None:
    random = np.random.default_rng(0)
    for shape in ((1, 1), (97, 131), (64, 2)):
        colours = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
        assert (np.asarray(Image.open(BytesIO(encode_rgb(colours)))) == colours).all()
        grey = random.integers(0, 65536, shape, dtype=np.uint16)
        assert (np.asarray(Image.open(BytesIO(encode_grey16(grey)))) == grey).all()


def test_threads_draw_what_one_would() -> None:
    images = [attribution_image(64, 64, values=np.roll(bump(64, 64), shift, axis=1)) for shift in range(8)]
    chosen = [Style(visualization=NAMES[number % len(NAMES)]) for number in range(8)]
    alone = [draw(one, how) for one, how in zip(images, chosen, strict=True)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw, images, chosen)) == alone
