"""DataStatistics: how often labels occur, how large objects are, and which labels occur together."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.checks.labels import labels_of
from data.dataset import CheckedImage
from data.drawing.bars import Bar, draw_histogram, draw_named_bars, edge_bins, whole_number_bins
from data.drawing.colours import label_colour
from data.drawing.matrix import draw_matrix, together
from data.drawing.vector_drawing import VectorDrawing
from data.record import LabelledImage
from models.folder.manifest import TaskName
from models.labels import Label, named

_MOST_TOGETHER = 100
_SIDES = (0, 8, 16, 32, 64, 96, 128, 256, 512, 1024)  # pixels; COCO calls objects small below 32, large from 96
_RATIOS = (0.0, 1 / 8, 1 / 4, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 4.0, 8.0)
_RATIO_NAMES = ("", "1:8", "1:4", "1:2", "2:3", "1:1", "3:2", "2:1", "4:1", "8:1")


@dataclass(frozen=True, slots=True)
class DataStatistics:
    """Counts of a data set.

    `images` and `objects` by label, the most frequent label first. `sides`: the square roots of the areas of boxes in
    pixels, `ratios` their width by height, `per_image` how many objects, or labels, each image has. `together`: int64
    [labels, labels], how many images have both, of the first 100 labels.
    """

    task: TaskName
    image_count: int
    backgrounds: int
    images: dict[Label, int]
    objects: dict[Label, int]
    sides: Sequence[float]
    ratios: Sequence[float]
    per_image: Sequence[int]
    together: NDArray[np.int64]

    @property
    def has_objects(self) -> bool:
        """Whether labels belong to parts of images."""
        return self.task in ("detection", "segmentation")

    def charts(self) -> dict[str, VectorDrawing]:
        """Return the charts that this task has, by name."""
        counts = self.objects if self.has_objects else self.images
        bars = [Bar(named(label), count, label_colour(label)) for label, count in counts.items()]
        drawings = {"labels": draw_named_bars("Objects by label" if self.has_objects else "Images by label", bars)}
        if self.has_objects:
            drawings["objects"] = draw_histogram("Objects in an image", whole_number_bins(self.per_image), "objects")
            sizes = edge_bins(self.sides, _SIDES, [*map(str, _SIDES[:-1]), ""])
            drawings["sizes"] = draw_histogram("Sizes of objects", sizes, "square root of the area of the box, pixels")
            drawings["ratios"] = draw_histogram(
                "Shapes of boxes", edge_bins(self.ratios, _RATIOS, _RATIO_NAMES), "width : height"
            )
        elif self.task == "multilabel":
            drawings["objects"] = draw_histogram("Labels of an image", whole_number_bins(self.per_image), "labels")
        if self.task != "multiclass" and len(self.images) > 1:
            names = [named(label) for label in list(self.images)[:_MOST_TOGETHER]]
            drawings["together"] = draw_matrix("Labels in the same image", together(names, self.together))
        return drawings


def count_images(task: TaskName, images: Sequence[CheckedImage], *, exif: bool = False) -> DataStatistics:
    """Count what there is in a data set; `exif` says that images are turned as their EXIF says."""
    by_image: Counter[Label] = Counter()
    by_object: Counter[Label] = Counter()
    boxes: list[tuple[float, float]] = []
    for each in images:
        by_image.update(labels_of(each.image))
        by_object.update(one.label for one in each.image.objects)
        width, height = each.size[::-1] if exif and each.orientation >= 5 else each.size
        for one in each.image.objects:
            left, top, right, bottom = one.box
            boxes.append(((right - left) * width, (bottom - top) * height))
    found = [(wide, high) for wide, high in boxes if wide > 0 and high > 0]
    records = [each.image for each in images]
    counts = by_object if task in ("detection", "segmentation") else by_image
    ordered = sorted(counts, key=lambda label: (-counts[label], named(label)))
    return DataStatistics(
        task,
        len(images),
        sum(not labels_of(record) for record in records),
        {label: by_image[label] for label in ordered},
        {label: by_object[label] for label in ordered},
        [math.sqrt(wide * high) for wide, high in found],
        [wide / high for wide, high in found],
        [len(record.objects) if by_object else len(record.labels) for record in records],
        _together(records, ordered[:_MOST_TOGETHER]),
    )


def _together(images: Sequence[LabelledImage], labels: Sequence[Label]) -> NDArray[np.int64]:
    places = {label: place for place, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    for image in images:
        found = [places[label] for label in labels_of(image) if label in places]
        counts[np.ix_(found, found)] += 1
    return counts
