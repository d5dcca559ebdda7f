"""Each kind of fault, its limits and what is done; the table in the documentation knows every code."""

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.check import FaultPolicy, check, leaks
from data.checks.catalog import FAULT_KINDS
from data.checks.fault_log import FaultLog
from data.checks.object_faults import ObjectFaults
from data.checks.objects import checked_objects
from data.checks.polygons import checked_outlines
from data.dataset import CheckedData, Dataset
from data.errors import DataError, DataRefusedError
from data.outlines import run_lengths
from data.reading import read_dataset
from data.record import LabelledImage, LabelledObject, RunLengths
from data.sources.image_store import ImageStore
from models.folder.manifest import TaskName
from tests.support.faulty_data import clean_record, write_images
from tests.support.images import encoded, painted
from tests.support.repository import ROOT

SIZE = (100, 80)


class TestCatalog:
    def test_it_has_every_code_that_the_product_can_say(self) -> None:
        calls = {"fault", "add", "dropped", "mended", "reported", "about_all", "ImageUnavailableError", "Fault"}
        words = {
            constant.value
            for file in (ROOT / "data").rglob("*.py")
            if file.name != "dataset_builder.py"  # what it adds are forms of labels
            for call in ast.walk(ast.parse(file.read_text()))
            if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in calls
            for argument in call.args
            for constant in ast.walk(argument)
            if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
        }
        codes = {word for word in words if word.replace("_", "").isalpha() and "_" in word} | {"turned", "unlabelled"}
        assert codes - FAULT_KINDS.keys() == set()
        assert len(codes) > 20


def objects(
    *each: LabelledObject, task: TaskName = "detection", order_corners: bool = False
) -> tuple[Any, list[tuple[str, str]]]:
    """Check an image with some objects; return what is left of it, and the faults with what is done."""
    log = FaultLog()
    image = checked_objects(LabelledImage("a.jpg", 1, objects=each), task, SIZE, log, order_corners=order_corners)
    return image, [(fault.fault, fault.done) for fault in log.by_line()]


def box(*corners: float, label: str = "can") -> LabelledObject:
    return LabelledObject(label, corners)  # type: ignore[arg-type]


def outline(*parts: tuple[float, ...], label: str = "can") -> LabelledObject:
    return LabelledObject(label, (0.0, 0.0, 1.0, 1.0), parts)


class TestBoxes:
    def test_a_corner_just_outside_is_clipped_and_rounding_is_no_fault(self) -> None:
        image, faults = objects(box(-0.02, 0.1, 0.5, 1.0199))
        assert (image.objects[0].box, faults) == ((0.0, 0.1, 0.5, 1.0), [("box_outside", "box clipped")])
        image, faults = objects(box(-1e-7, 0.1, 0.5, 1.0000005))
        assert (image.objects[0].box, faults) == ((0.0, 0.1, 0.5, 1.0), [])

    @pytest.mark.parametrize(
        "corners", [(-0.03, 0.1, 0.5, 0.5), (0.1, 0.1, 1.03, 0.5), (1.001, 0.1, 1.01, 0.5), (40, 50, 70, 90)]
    )
    def test_what_is_further_outside_is_dropped(self, corners: tuple[float, ...]) -> None:
        image, faults = objects(box(*corners), box(0.1, 0.1, 0.5, 0.5))
        assert (len(image.objects), faults) == (1, [("box_outside", "object dropped")])

    def test_swapped_corners_are_put_in_order_on_demand(self) -> None:
        assert objects(box(0.5, 0.1, 0.2, 0.6)) == (None, [("box_swapped", "image dropped")])
        image, faults = objects(box(0.5, 0.6, 0.2, 0.1), order_corners=True)
        assert (image.objects[0].box, faults) == ((0.2, 0.1, 0.5, 0.6), [("box_swapped", "corners put in order")])

    def test_an_empty_box_is_dropped(self) -> None:
        for corners in ((0.2, 0.1, 0.2, 0.6), (0.2, 0.6, 0.3, 0.6)):
            assert objects(box(*corners)) == (None, [("box_empty", "image dropped")])

    def test_twins_have_the_same_label_and_nearly_the_same_place(self) -> None:
        first = box(0.1, 0.1, 0.9, 0.9)
        image, faults = objects(first, box(0.1, 0.1, 0.9, 0.93), box(0.102, 0.1, 0.9, 0.9))
        assert image.objects == (first,)
        assert faults == [("box_twice", "object dropped")] * 2
        for other in (box(0.1, 0.1, 0.9, 0.943), box(0.1, 0.1, 0.9, 0.9, label="jar")):
            assert objects(first, other)[1] == []

    def test_twins_are_found_among_many(self) -> None:
        random = np.random.default_rng(0)
        corners = random.uniform(0, 0.5, (3000, 2))
        many = [box(x, y, x + 0.3, y + 0.3, label=str(number)) for number, (x, y) in enumerate(corners)]
        image, faults = objects(*many, *many[:5])
        assert (len(image.objects), len(faults)) == (3000, 5)

    def test_an_image_keeps_its_other_objects(self) -> None:
        image, faults = objects(box(0.1, 0.1, 0.2, 0.2), box(0.5, 0.5, 0.5, 0.6), box(0.3, 0.3, 0.4, 0.4))
        assert [each.box[0] for each in image.objects] == [0.1, 0.3]
        assert faults == [("box_empty", "object dropped")]


TRIANGLE = (0.1, 0.1, 0.9, 0.1, 0.5, 0.9)


class TestOutlines:
    def test_bad_parts_go_and_others_stay(self) -> None:
        image, faults = objects(outline(TRIANGLE, (0.1, 0.2), (0.2, 0.2, 0.201, 0.2, 0.2, 0.201)), task="segmentation")
        assert image.objects[0].polygons == (TRIANGLE,)
        assert image.objects[0].box == (0.1, 0.1, 0.9, 0.9)
        assert faults == [("polygon_short", "part dropped"), ("polygon_flat", "part dropped")]
        assert objects(outline((0.1, 0.2)), task="segmentation") == (None, [("polygon_short", "image dropped")])

    def test_flat_is_less_than_a_pixel(self) -> None:
        pixel = 1 / SIZE[0], 1 / SIZE[1]
        for share, expected in ((0.9, [("polygon_flat", "image dropped")]), (1.1, [])):
            side = share * pixel[0], pixel[1]
            square = (0.5, 0.5, 0.5 + side[0], 0.5, 0.5 + side[0], 0.5 + side[1], 0.5, 0.5 + side[1])
            assert objects(outline(square), task="segmentation")[1] == expected

    def test_points_outside_are_clipped(self) -> None:
        image, faults = objects(outline((0.5, 0.5, 1.5, 0.5, 0.5, 1.5)), task="segmentation")
        points = {tuple(point) for point in np.round(np.reshape(image.objects[0].polygons[0], (-1, 2)), 9).tolist()}
        assert points == {(0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (0.5, 1.0)}
        assert faults == [("polygon_outside", "polygon clipped")]
        assert objects(outline((1.1, 0.5, 1.5, 0.5, 1.5, 1.5)), task="segmentation")[1] == [
            ("polygon_outside", "image dropped")
        ]
        assert objects(outline((-1e-8, 0.5, 0.5, 0.5, 0.5, 1 + 1e-8)), task="segmentation")[1] == []

    @pytest.mark.parametrize(
        ("points", "crosses"),
        [
            ([(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)], True),
            ([(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)], False),
            # it touches itself in a point, and goes along the same line twice, as an outline around a hole does
            ([(0.1, 0.1), (0.5, 0.5), (0.9, 0.1), (0.9, 0.9), (0.5, 0.5), (0.1, 0.9)], False),
            ([(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.9), (0.5, 0.5), (0.4, 0.6), (0.5, 0.5), (0.5, 0.9)], False),
            ([(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, -0.1), (0.1, 0.9)], True),
        ],
    )
    def test_only_edges_that_cross_are_reported(self, points: list[tuple[float, float]], crosses: bool) -> None:
        log = ObjectFaults(LabelledImage("a", 1))
        found = FaultLog()
        polygon = tuple(value for point in points for value in point)
        assert checked_outlines(outline(polygon), SIZE, log) is not None
        log.write(found, some_left=True)
        assert ("polygon_crossing" in {fault.fault for fault in found.by_line()}) == crosses

    def test_a_crossing_is_found_in_a_long_outline(self) -> None:
        angles = np.linspace(0, 2 * np.pi, 1500, endpoint=False)
        circle = np.stack([0.5 + 0.4 * np.cos(angles), 0.5 + 0.4 * np.sin(angles)], 1)
        crossed = circle.copy()
        crossed[[700, 703]] = crossed[[703, 700]]
        assert objects(outline(tuple(circle.ravel())), task="segmentation")[1] == []
        assert objects(outline(tuple(crossed.ravel())), task="segmentation")[1] == [("polygon_crossing", "reported")]

    def test_two_halves_of_a_box_are_no_twins(self) -> None:
        halves = outline((0.1, 0.1, 0.9, 0.1, 0.1, 0.9)), outline((0.9, 0.9, 0.9, 0.1, 0.1, 0.9))
        assert objects(*halves, task="segmentation")[1] == []
        assert objects(halves[0], halves[0], task="segmentation")[1] == [("box_twice", "object dropped")]

    def test_masks_have_the_size_of_the_image_and_pixels(self) -> None:
        pixels = np.zeros(SIZE[::-1], bool)
        pixels[10:30, 20:50] = True
        good = LabelledObject("can", (0, 0, 0, 0), mask=run_lengths(pixels))
        image, faults = objects(good, task="segmentation")
        assert (image.objects[0].box, faults) == ((0.2, 0.125, 0.5, 0.375), [])
        for mask, fault in (
            (run_lengths(np.zeros(SIZE[::-1], bool)), "polygon_flat"),
            (run_lengths(np.ones(SIZE, bool)), "size_differs"),
            (RunLengths((80, 100), (5, 5)), "label_form"),
        ):
            bad = LabelledObject("can", (0, 0, 0, 0), mask=mask)
            assert objects(bad, task="segmentation")[1] == [(fault, "image dropped")]

    def test_large_sets_of_masks_are_warned_of(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("data.checks.objects.MOST_MASK_PIXELS", 1.5 * SIZE[0] * SIZE[1])
        image, faults = objects(outline(TRIANGLE), outline((0.1, 0.9, 0.9, 0.9, 0.5, 0.1)), task="segmentation")
        assert (len(image.objects), faults) == (2, [("masks_large", "warned")])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with forty different images."""
    made = tmp_path_factory.mktemp("kinds")
    write_images(made, 40)
    return made


Checked = Callable[..., CheckedData]


@pytest.fixture
def checked(folder: Path, tmp_path: Path) -> Checked:
    """Check lines, each a URL and what else it has; files that a test makes are in its own folder."""

    def run(
        *lines: tuple[str, Any],
        policy: FaultPolicy | None = None,
        name: str = "set.jsonl",
        task: TaskName | None = None,
    ) -> CheckedData:
        records = [{"image_url": url, **(more if isinstance(more, dict) else {"label": more})} for url, more in lines]
        (tmp_path / name).write_text("".join(json.dumps(record) + "\n" for record in records))
        dataset: Dataset = read_dataset(tmp_path / name, task=task)
        return check(dataset, ImageStore(tmp_path, more_folders=[folder]), policy or FaultPolicy())

    return run


def url(number: int) -> str:
    return f"images/{number}.png"


def found(data: CheckedData) -> list[tuple[int, str]]:
    return [(fault.line, fault.fault) for fault in data.faults if fault.line]


class TestLabels:
    def test_labels_alike_are_reported_with_their_counts(self, checked: Checked) -> None:
        lines = [(url(number), "café") for number in range(1, 11)]
        data = checked(*lines, (url(11), "CAFÉ"), (url(12), "cafe\u0301"), (url(13), " café"), (url(14), "cafe"))
        assert found(data)[:3] == [(11, "label_alike"), (12, "label_alike"), (13, "label_alike")]
        details = {fault.line: fault.detail for fault in data.faults}
        assert details[11].startswith("'CAFÉ' (1 image) is like 'café' (10 images)")
        assert details[12].startswith(r"'cafe\u0301' (1 image) is like 'caf\xe9' (10 images)")

    def test_renaming_comes_first(self, checked: Checked) -> None:
        lines = [(url(number), "can") for number in range(1, 11)]
        data = checked(*lines, (url(11), "Can"), policy=FaultPolicy(rename={"Can": "can"}))
        assert (found(data), data.labels) == ([], ("can",))
        with pytest.raises(DataError, match="texts and others numbers"):
            checked(*lines, (url(11), "Can"), policy=FaultPolicy(rename={"Can": 3}))

    @pytest.mark.parametrize("label", ["--bg--", "", " \t"])
    def test_reserved_labels_cost_their_object_or_image(self, label: str, checked: Checked) -> None:
        data = checked((url(1), "can"), (url(2), label))
        assert [(fault.line, fault.fault, fault.done) for fault in data.faults if fault.line] == [
            (2, "label_reserved", "image dropped")
        ]
        boxes = [
            {"label": each, "topX": 0.1 * place, "topY": 0.1, "bottomX": 0.9, "bottomY": 0.9}
            for place, each in enumerate(["can", label])
        ]
        data = checked((url(1), boxes))
        assert [fault.done for fault in data.faults if fault.line] == ["object dropped"]
        assert data.labels == ("can",)

    def test_labels_are_rare_beside_frequent_ones(self, checked: Checked) -> None:
        lines = [(url(number), ["can"]) for number in range(1, 31)]
        data = checked(
            *lines,
            (url(31), ["jar", "can"]),
            (url(32), ["tin"]),
            (url(33), ["tin"]),
            *((url(number), ["lid"]) for number in range(34, 38)),
        )
        assert [(fault.line, fault.fault, fault.done) for fault in data.faults] == [
            (0, "label_rare", "warned"),
            (31, "label_rare", "reported"),
            (32, "label_rare", "warned"),
            (33, "label_rare", "warned"),
        ]
        assert "lid" in data.faults[0].detail

    def test_small_sets_and_single_labels_are_only_warned_of(self, checked: Checked) -> None:
        data = checked((url(1), "can"), (url(2), "can"), policy=FaultPolicy(refuse=True))
        assert {(fault.line, fault.done) for fault in data.faults} == {(0, "warned")}
        assert {fault.fault for fault in data.faults} == {"images_few", "label_single", "label_rare"}

    def test_labels_are_sorted_by_code_point_or_value(self, checked: Checked) -> None:
        assert checked(*((url(place + 1), label) for place, label in enumerate(["b", "ä", "Z", "a"]))).labels == (
            "Z",
            "a",
            "b",
            "ä",
        )
        assert checked(*((url(place + 1), label) for place, label in enumerate([10, 9, -1]))).labels == (-1, 9, 10)


BOX = {"label": "can", "topX": 0.1, "topY": 0.1, "bottomX": 0.4, "bottomY": 0.4}
OTHER = {"label": "can", "topX": 0.5, "topY": 0.5, "bottomX": 0.9, "bottomY": 0.9}


class TestLines:
    def test_by_default_the_last_label_counts_and_boxes_are_added_together(self, checked: Checked) -> None:
        data = checked((url(1), "can"), (url(2), "jar"), (url(1), "jar"))
        assert found(data) == [(3, "line_twice")]
        assert {(each.image.line, each.image.labels) for each in data.images} == {(2, ("jar",)), (3, ("jar",))}
        data = checked((url(1), [BOX]), (url(2), []), (url(1), [OTHER, BOX]))
        assert found(data) == [(3, "line_twice")]
        assert [len(each.image.objects) for each in data.images] == [2, 0]
        assert data.faults[-1].done == "merged with line 1"

    def test_a_policy_may_say_otherwise(self, checked: Checked) -> None:
        data = checked((url(1), [BOX]), (url(1), [OTHER]), policy=FaultPolicy(twice="last"))
        assert [each.image.objects[0].box[0] for each in data.images] == [0.5]
        data = checked((url(1), ["can"]), (url(1), ["jar"]), policy=FaultPolicy(twice="merge"))
        assert [each.image.labels for each in data.images] == [("can", "jar")]
        with pytest.raises(DataRefusedError, match="such as line 2") as error:
            checked((url(1), ["can"]), (url(1), ["jar"]), policy=FaultPolicy(twice="refuse"))
        assert (2, "line_twice") in {(fault.line, fault.fault) for fault in error.value.faults}


class TestImages:
    def test_pixels_are_compared_on_demand(self, checked: Checked, tmp_path: Path) -> None:
        for form in ("PNG", "BMP"):
            (tmp_path / f"twin.{form}").write_bytes(encoded(painted(1, 20, 16), form))
        lines = [("twin.PNG", "can"), ("twin.BMP", "can")]
        assert found(checked(*lines)) == []
        deep = FaultPolicy(deep=True)
        assert found(checked(*lines, policy=deep)) == [(2, "image_twice")]
        training, validation = (checked(line, (url(place), "can"), policy=deep) for place, line in enumerate(lines, 1))
        assert [fault.line for fault in leaks(training, validation)[1]] == [1]

    def test_turned_images_are_reported_unless_they_are_turned(self, checked: Checked, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[274] = 6
        (tmp_path / "turned.jpg").write_bytes(encoded(painted(1, 20, 16), "JPEG", exif=exif))
        sizes = [{"label": "can", "image_details": {"width": side, "height": 36 - side}} for side in (16, 20, 18)]
        lines = [("turned.jpg", size) for size in sizes]
        turning = FaultPolicy(exif=True)
        assert [found(checked(line)) for line in lines] == [
            [(1, "turned")],
            [(1, "turned")],
            [(1, "turned"), (1, "size_differs")],
        ]
        assert [found(checked(line, policy=turning)) for line in lines] == [
            [],
            [(1, "size_differs")],
            [(1, "size_differs")],
        ]
        assert checked(lines[0], policy=turning).images[0].size == (20, 16)


class TestRefusals:
    def test_a_share_of_faults_counts_lines_that_lose_something(self, checked: Checked) -> None:
        lines = [(url(number), "can") for number in range(1, 20)]
        assert len(checked(*lines, ("none.png", "can"), policy=FaultPolicy(most_faults=0.05)).images) == 19
        with pytest.raises(DataRefusedError, match="2 faulty lines of 20"):
            checked(*lines[1:], ("none.png", "can"), ("other.png", "can"), policy=FaultPolicy(most_faults=0.05))
        with pytest.raises(DataRefusedError, match=r"has 1 fault\."):
            checked(*lines, ("none.png", "can"), policy=FaultPolicy(refuse=True))

    def test_nothing_left_is_refused(self, checked: Checked) -> None:
        with pytest.raises(DataRefusedError, match="no image that can be used"):
            checked(("none.png", "can"))
        with pytest.raises(DataRefusedError, match="has a label"):
            checked((url(1), []), (url(2), []))

    def test_images_of_the_validation_are_not_trained_on(self, checked: Checked, tmp_path: Path, folder: Path) -> None:
        training = checked(*((url(number), "can" if number < 12 else "jar") for number in range(1, 13)))
        (tmp_path / "copy.png").write_bytes((folder / url(12)).read_bytes())
        validation = checked(("copy.png", "jar"), (url(20), "can"), name="valid.jsonl")
        left, faults = leaks(training, validation)
        assert [(fault.line, fault.fault) for fault in faults] == [(12, "split_leak")]
        assert (len(left.images), left.labels) == (11, ("can",))
        assert set(faults) <= set(left.faults)
        with pytest.raises(DataRefusedError, match="have 1 image in common"):
            leaks(training, validation, FaultPolicy(refuse=True))
        with pytest.raises(DataRefusedError, match="All images"):
            leaks(training, training)
        assert leaks(training, checked((url(20), "can")))[1] == ()


def test_clean_lines_have_no_faults(checked: Checked) -> None:
    tasks: list[TaskName] = ["multiclass", "multilabel", "detection", "segmentation"]
    for task in tasks:
        records = [clean_record(number, task) for number in range(1, 41)]
        assert found(checked(*((record["image_url"], record) for record in records))) == []
