"""How images lie in their frames: turned by EXIF or as stored, as the model saw them, and enlarged around a box."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.support.boxes_on_page import box
from tests.support.browser import Tab
from tests.support.images import encoded
from tests.support.page_modules import open_modules

QUARTERS = Image.new("RGB", (61, 40), "white")
QUARTERS.paste("red", (0, 0, 30, 20))
QUARTERS.paste("lime", (30, 0, 61, 20))
QUARTERS.paste("blue", (0, 20, 30, 40))
PLACES = ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8))

FRAMES = """async (names) => {
    const { html, render } = await import("/vendor/lit-html.js");
    const { frameView, imageView } = await import("/viewer/frame.js");
    const { readImageFile } = await import("/images/image_file.js");
    const state = { zoom: { scale: 1, x: 0.5, y: 0.5 } };
    const frames = [];
    for (const name of names) {
        const image = await readImageFile(new File([await (await fetch(name)).blob()], name), name);
        for (const exif of [false, true]) {
            const facts = { exif };
            frames.push(frameView({ state, actions: {}, image, facts, name, layers: [imageView(image, facts)] }));
        }
    }
    render(html`<div class="panes">${frames}</div>`, document.getElementById("modules"));
    await Promise.all([...document.images].map((each) => each.decode()));
    return [...document.querySelectorAll("image-stage")].map((each) => {
        const { left, top, width, height } = each.getBoundingClientRect();
        return [left + scrollX, top + scrollY, width, height];
    });
}"""


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP"])
def test_images_are_turned_only_where_the_model_turns_them(tab: Tab, form: str) -> None:
    files = {f"{orientation}.image": turned(form, orientation) for orientation in range(1, 9)}
    page = open_modules(tab, files)
    frames = page.evaluate(FRAMES, list(files))
    screenshot = Image.open(BytesIO(page.screenshot(full_page=True)))
    shot = np.asarray(screenshot.convert("RGB"), dtype=np.int16)
    for number, (left, top, width, height) in enumerate(frames):
        image = Image.open(BytesIO(files[f"{number // 2 + 1}.image"]))
        seen = ImageOps.exif_transpose(image) if number % 2 else image
        assert width / height == pytest.approx(seen.width / seen.height, rel=0.01)
        found = [shot[int(top + y * height), int(left + x * width)] for x, y in PLACES]
        pixels = np.asarray(seen.convert("RGB"), dtype=np.int16)
        wanted = [pixels[int(y * seen.height), int(x * seen.width)] for x, y in PLACES]
        assert np.abs(np.subtract(found, wanted)).max() < 60, f"frame {number}"


def turned(form: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(QUARTERS, form, exif=exif, **({} if form == "PNG" else {"quality": 95}))


ENLARGED = """async ([name, part]) => {
    const { html, render } = await import("/vendor/lit-html.js");
    const { enlargedView } = await import("/viewer/explanation/enlarged.js");
    const { readImageFile } = await import("/images/image_file.js");
    const image = await readImageFile(new File([await (await fetch(name)).blob()], name), name);
    const pane = { label: "can", box: part };
    const view = enlargedView(image, { exif: false }, pane);
    render(html`<div class="panes">${view}</div>`, document.getElementById("modules"));
    await document.images[0].decode();
    return [".enlarged", "img", ".overlay path"].map((name) => {
        const { left, top, width, height } = document.querySelector(name).getBoundingClientRect();
        return [left, top, width, height];
    });
}"""


def test_an_object_is_enlarged_where_its_box_is(tab: Tab) -> None:
    page = open_modules(tab, {"1.image": turned("JPEG", 1)})
    frame, image, path = page.evaluate(ENLARGED, ["1.image", box(0.5, 0.1, 0.9, 0.5)])
    assert image[2] / image[3] == pytest.approx(61 / 40, rel=0.01)
    assert path[0] == pytest.approx(image[0] + 0.5 * image[2], abs=0.5)
    assert path[1] == pytest.approx(image[1] + 0.1 * image[3], abs=0.5)
    assert path[2:] == pytest.approx([0.4 * image[2], 0.4 * image[3]], abs=0.5)
    assert image[2] > 1.9 * frame[2], "larger than its frame"
    assert path[2] > 0.7 * frame[2], "most of the frame is the object"


MARKS = """async ([labels, known]) => {
    const { marksOf } = await import("/viewer/legend.js");
    const marks = [...marksOf(labels.map((label) => ({ label })), known)];
    return marks.map(([label, { colour, line }]) => [label, `${colour} ${line}`]);
}"""


def test_no_two_labels_of_an_image_look_alike(tab: Tab) -> None:
    page = open_modules(tab)
    known = [f"label {number}" for number in range(80)]
    alone = dict(page.evaluate(MARKS, [["label 3"], known]))
    beside = dict(page.evaluate(MARKS, [["label 60", "label 3", "label 7"], known]))
    assert beside["label 3"] == alone["label 3"], "a label keeps its colour"
    many = dict(page.evaluate(MARKS, [[f"label {number}" for number in range(0, 72, 3)], known]))
    assert len(many) == len(set(many.values())) == 24
    assert len(page.evaluate(MARKS, [known, known])) == 80
