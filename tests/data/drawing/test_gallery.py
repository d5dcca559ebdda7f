"""What `data show` writes: enough sheets, one page that needs nothing else, and faults in red."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image

from data.dataset import CheckedImage, Dataset
from data.drawing.colours import FAULT
from data.drawing.gallery import Gallery, write_gallery
from data.drawing.shown_image import sampled, shown_images
from data.drawing.statistics import count_images
from data.drawing.thumbnail import fitted, thumbnail
from data.fault import Fault
from data.progress import ProgressReport
from data.record import LabelledImage, LabelledObject
from data.sources.image_store import ImageStore
from models.folder.manifest import TaskName

EVIL = '"><script>alert(1)</script>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 48), (90, 120, 150)).save(tmp_path / "plain.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    Image.new("RGB", (5000, 20)).save(tmp_path / "strip.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "plain.png").read_bytes()[:60])
    return tmp_path


def checked(folder: Path, image: LabelledImage, size: tuple[int, int] = (64, 48)) -> CheckedImage:
    return CheckedImage(image, folder / image.url.partition("?")[0], size, "0" * 64)


def write(
    folder: Path, images: Sequence[CheckedImage], faults: Sequence[Fault] = (), task: TaskName = "multiclass"
) -> str:
    dataset = Dataset(task, tuple(each.image for each in images), folder / "x.jsonl", folder)
    shown = shown_images(dataset, images, faults)
    gallery = Gallery("x.jsonl", count_images(task, images), faults, shown, len(shown), "All of them.")
    page = write_gallery(gallery, ImageStore(folder), folder / "out", ProgressReport(stream=StringIO()))
    return page.read_text("utf-8")


class References(HTMLParser):
    """Collects what a page would load, and the scripts that it would run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]


def test_the_page_needs_nothing_else_and_runs_no_foreign_script(folder: Path) -> None:
    image = LabelledImage(f"plain.png?{EVIL}", 1, (EVIL, "can"))
    page = write(folder, [checked(folder, image)], [Fault(1, EVIL, "label_alike", EVIL, EVIL)], "multilabel")
    references = References(page)
    assert len(references.found) == 1
    assert references.found[0].startswith("data:image/jpeg;base64,")
    assert references.scripts == 1
    assert "<script>alert" not in page
    assert not re.search(r"https?://|url\(|@import", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize(("count", "sheets"), [(1, 1), (24, 1), (25, 2), (49, 3)])
def test_a_sheet_holds_24_images(folder: Path, count: int, sheets: int) -> None:
    page = write(folder, [checked(folder, LabelledImage("plain.png", line, ("can",))) for line in range(1, count + 1)])
    assert len(list((folder / "out" / "sheets").glob("*.png"))) == sheets
    assert page.count("<figure") == count


def test_sheets_of_an_earlier_call_are_gone(folder: Path) -> None:
    images = [checked(folder, LabelledImage("plain.png", line, ("can",))) for line in range(1, 27)]
    write(folder, images)
    write(folder, images[:2])
    assert [file.name for file in (folder / "out" / "sheets").iterdir()] == ["sheet_01.png"]


def test_an_empty_data_set_has_a_page(folder: Path) -> None:
    for task in ("multiclass", "multilabel", "detection", "segmentation"):
        page = write(folder, [], [Fault(0, "", "images_few", "There are 0 images.")], task)
        assert "images_few" in page
        assert not list((folder / "out" / "sheets").iterdir())


def test_images_of_odd_sizes_are_shown(folder: Path) -> None:
    one = (LabelledObject("can", (0.1, 0.1, 0.9, 0.9)),)
    images = [
        checked(folder, LabelledImage("dot.png", 1, objects=one), (1, 1)),
        checked(folder, LabelledImage("strip.png", 2, objects=one), (5000, 20)),
    ]
    assert write(folder, images, task="detection").count("data:image/jpeg") == 2


def test_faults_are_in_red_with_their_codes(folder: Path) -> None:
    images = [checked(folder, LabelledImage("plain.png", 1, objects=()))]
    plain = write(folder, images, task="detection")
    assert "<figure data-line" in plain
    with Image.open(folder / "out" / "sheets" / "sheet_01.png") as sheet:
        assert FAULT not in {colour for _, colour in sheet.getcolors(2**20) or []}
    page = write(folder, images, [Fault(1, "plain.png", "box_empty", "Nothing in it.", "box dropped")], "detection")
    assert '<figure class="faulty"' in page
    assert "<b>box_empty</b> Nothing in it. (box dropped)" in page
    with Image.open(folder / "out" / "sheets" / "sheet_01.png") as sheet:
        assert FAULT in {colour for _, colour in sheet.getcolors(2**20) or []}


def test_what_cannot_be_shown_is_said_in_its_place(folder: Path) -> None:
    faults = [
        Fault(2, "gone.png", "image_missing", "No file.", "image dropped"),
        Fault(3, "", "line_unreadable", "Not JSON.", "line dropped"),
    ]
    torn = checked(folder, LabelledImage("torn.png", 1, ("can",)))
    dataset = Dataset(
        "multiclass", (torn.image, LabelledImage("gone.png", 2, ("can",))), folder / "x.jsonl", folder, (faults[1],)
    )
    shown = shown_images(dataset, [torn], faults)
    assert [each.line for each in shown] == [1, 2, 3]
    gallery = Gallery("x", count_images("multiclass", [torn]), faults, shown, 3, "")
    page = write_gallery(gallery, ImageStore(folder), folder / "out", ProgressReport(stream=StringIO())).read_text()
    found = re.findall('<div class="missing">([^<]*)</div>', page)
    assert found == ["image_unreadable", "image_missing", "cannot be read"]


def test_objects_that_were_changed_are_kept_as_written(folder: Path) -> None:
    good, bad = LabelledObject("can", (0.1, 0.1, 0.5, 0.5)), LabelledObject("can", (0.5, 0.5, 1.2, 0.9))
    clipped = LabelledObject("can", (0.5, 0.5, 1.0, 0.9))
    written = LabelledImage("plain.png", 1, objects=(good, bad))
    kept = checked(folder, LabelledImage("plain.png", 1, objects=(good, clipped)))
    (shown,) = shown_images(Dataset("detection", (written,), folder, folder), [kept], [])
    assert shown.faulty == (bad,)
    assert shown.image is not None
    assert shown.image.objects == (good, clipped)


def test_200_labels_are_all_on_the_page(folder: Path) -> None:
    images = [checked(folder, LabelledImage("plain.png", line, (f"label {line}",))) for line in range(1, 201)]
    dataset = Dataset("multilabel", tuple(each.image for each in images), folder, folder)
    shown = shown_images(dataset, images, [])
    gallery = Gallery("x", count_images("multilabel", images), [], sampled(shown, 3), 200, "")
    page = write_gallery(gallery, ImageStore(folder), folder / "out", ProgressReport(stream=StringIO())).read_text()
    assert page.count("<option") >= 200
    assert page.count('<button class="label"') == 200
    assert len(page) < 2**20


def test_a_sample_has_every_label_and_is_the_same_again(folder: Path) -> None:
    labels = ["common"] * 300 + ["rare", "rarer"]
    images = [checked(folder, LabelledImage(f"{line}.png", line, (label,))) for line, label in enumerate(labels, 1)]
    dataset = Dataset("multiclass", tuple(each.image for each in images), folder, folder)
    shown = shown_images(dataset, images, [])
    chosen = sampled(shown, 10)
    assert len(chosen) == 10
    assert {label for each in chosen for label in each.labels} == {"common", "rare", "rarer"}
    assert [each.line for each in chosen] == sorted(each.line for each in chosen)
    assert sampled(list(reversed(shown)), 10) == chosen
    assert {label for each in sampled(shown, 2) for label in each.labels} == {"rare", "rarer"}
    assert len(sampled(shown, 1000)) == 302


def test_statistics_count_images_objects_and_pairs(folder: Path) -> None:
    can, carton = LabelledObject("can", (0, 0, 0.5, 0.5)), LabelledObject("carton", (0, 0, 1, 0.25))
    images = [
        checked(folder, LabelledImage("a", 1, objects=(can, can, carton)), (64, 64)),
        checked(folder, LabelledImage("b", 2, objects=(carton,)), (64, 64)),
        checked(folder, LabelledImage("c", 3), (64, 64)),
    ]
    found = count_images("detection", images)
    assert (found.image_count, found.backgrounds) == (3, 1)
    assert found.images == {"can": 1, "carton": 2}
    assert found.objects == {"can": 2, "carton": 2}
    assert list(found.per_image) == [3, 1, 0]
    assert list(found.sides) == pytest.approx([32, 32, 32, 32])
    assert list(found.ratios) == pytest.approx([1, 1, 4, 4])
    assert found.together.tolist() == [[1, 1], [1, 2]]
    assert set(found.charts()) == {"labels", "objects", "sizes", "ratios", "together"}


def test_thumbnails_fit_and_small_images_are_enlarged_in_squares(folder: Path) -> None:
    large = Image.effect_noise((1600, 900), 90).convert("RGB")
    large.save(folder / "large.jpg")
    assert thumbnail(folder / "large.jpg", (1600, 900), (320, 240)).size == (320, 180)
    assert thumbnail(folder / "large.jpg", None, (320, 240)).size == (320, 180)
    two = Image.new("RGB", (2, 1))
    two.putpixel((1, 0), (255, 255, 255))
    assert fitted(two, (20, 20)).size == (20, 10)
    assert {colour for _, colour in fitted(two, (20, 20)).getcolors() or []} == {(0, 0, 0), (255, 255, 255)}
    assert fitted(Image.new("RGB", (5000, 20)), (100, 100)).size == (100, 1)
