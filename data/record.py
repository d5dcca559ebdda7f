"""LabelledImage: one image and what somebody said about it, whatever format that was written in."""

from dataclasses import dataclass

from models.labels import Label

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of the image's width and height."""

Outline = tuple[float, ...]
"""A closed polygon: x, y, x, y and so on, as shares of the image's width and height."""


@dataclass(frozen=True, slots=True)
class RunLengths:
    """A mask as COCO writes it: how many pixels are outside, then inside, by turns, column after column.

    `size` is the (height, width) of the mask in pixels; `counts` add up to height times width.
    """

    size: tuple[int, int]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LabelledObject:
    """One object in an image. Nothing is checked: a box may be swapped or outside the image.

    `polygons` are the outlines of its parts: together they are the object, and none of them is a hole. `mask` is there
    where the format has pixels, and then says more than outlines. A `crowd` stands for many objects of its label.
    """

    label: Label
    box: Box
    polygons: tuple[Outline, ...] = ()
    mask: RunLengths | None = None
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image of a data set.

    `url` is where the image is, as written. `line` is where it stands in the file, counted from 1; in formats without
    lines, its place among the images. `labels` are those of the whole image: one for multiclass, any number for
    multilabel. `objects` are for detection and segmentation; an image without any is a background. `size` is the
    (width, height) that the file claims, and `confidences` those of labels that a model gave, in their order.
    """

    url: str
    line: int
    labels: tuple[Label, ...] = ()
    objects: tuple[LabelledObject, ...] = ()
    size: tuple[int, int] | None = None
    confidences: tuple[float, ...] = ()
