"""Labels of photographs that EXIF turns: Label Studio shows them turned, others take the pixels as they are stored."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from data.__main__ import main
from data.encodings.turning import back, turned, turned_size
from data.outlines import pixels_of, pixels_of_runs, run_lengths
from data.reading import read_dataset
from data.record import LabelledImage, LabelledObject

SIZE = (30, 20)
# an L, which looks different after each turn
OUTLINE = (0.1, 0.1, 0.4, 0.1, 0.4, 0.7, 0.9, 0.7, 0.9, 0.9, 0.1, 0.9)


def pillow_turned(pixels: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]", orientation: int) -> list[list[bool]]:
    image = Image.fromarray(pixels.astype(np.uint8))
    image.getexif()[0x0112] = orientation
    turned_pixels: list[list[bool]] = (np.asarray(ImageOps.exif_transpose(image)) > 0).tolist()
    return turned_pixels


@pytest.mark.parametrize("orientation", range(1, 9))
def test_labels_turn_as_pillow_turns_images(orientation: int) -> None:
    each = LabelledObject("can", (0.1, 0.1, 0.9, 0.9), (OUTLINE,))
    pixels = pixels_of(each, SIZE[::-1])
    image = LabelledImage("a.jpg", 1, (), (each, LabelledObject("can", each.box, (), run_lengths(pixels))), SIZE)
    expected = pillow_turned(pixels, orientation)
    after = turned(image, orientation)
    size = turned_size(SIZE, orientation)
    assert after.size == size
    outlined, masked = after.objects
    assert pixels_of(outlined, size[::-1]).tolist() == expected
    assert masked.mask is not None and pixels_of_runs(masked.mask).tolist() == expected
    again = turned(after, back(orientation))
    assert again.size == SIZE
    assert np.allclose(again.objects[0].polygons, each.polygons)
    corner = LabelledImage("a.jpg", 1, (), (LabelledObject("can", (0, 0, 0.5, 0.25)),))
    box = LabelledImage(
        "a.jpg", 1, (), (LabelledObject("can", (0, 0, 0.5, 0.25), ((0, 0, 0.5, 0, 0.5, 0.25, 0, 0.25),)),)
    )
    assert pixels_of(turned(corner, orientation).objects[0], (8, 8)).tolist() == (
        pixels_of(turned(box, orientation).objects[0], (8, 8)).tolist()
    )


def test_label_studio_gets_them_as_it_shows_them(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", SIZE).save(tmp_path / "a.jpg", exif=exif)
    label = {"label": "can", "topX": 0.1, "topY": 0.2, "bottomX": 0.5, "bottomY": 0.9}
    (tmp_path / "in.jsonl").write_text(json.dumps({"image_url": "a.jpg", "label": [label]}))

    def convert(source: str, target: str, form: str, *more: str) -> Path:
        assert main(["convert", str(tmp_path / source), str(tmp_path / target), "--to", form, *more]) == 0
        return tmp_path / target

    (task,) = json.loads(convert("in.jsonl", "tasks.json", "labelstudio").read_text())
    (region,) = task["annotations"][0]["result"]
    assert (region["original_width"], region["original_height"]) == (20, 30)
    # turned by a quarter clockwise, what was at the bottom is left
    wanted = {"x": 10, "y": 10, "width": 70, "height": 40, "rotation": 0}
    assert {name: pytest.approx(value) for name, value in wanted.items()} | {"rectanglelabels": ["can"]} == region[
        "value"
    ]
    back_again = read_dataset(convert("tasks.json", "back.jsonl", "jsonl")).images[0]
    assert back_again.objects[0].box == pytest.approx((0.1, 0.2, 0.5, 0.9))
    assert back_again.size == SIZE
    entry = json.loads(convert("tasks.json", "turned.json", "coco", "--exif").read_text())
    assert (entry["images"][0]["width"], entry["images"][0]["height"]) == (20, 30)
    assert entry["annotations"][0]["bbox"] == pytest.approx([2, 3, 14, 12])
    same = json.loads(convert("tasks.json", "same.json", "labelstudio").read_text())
    assert same[0]["annotations"][0]["result"][0]["value"] == region["value"]
