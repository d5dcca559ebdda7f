"""Turns what is labelled in an image as the orientation of EXIF turns the image, and back.

Browsers, and so Label Studio, show photographs turned; the hosted service takes the pixels as they are stored.
"""

from dataclasses import replace

import numpy as np

from data.format import Size
from data.outlines import pixels_of_runs, run_lengths
from data.record import Box, LabelledImage, LabelledObject, Outline, RunLengths

_UPRIGHT = 1
_BACK = {6: 8, 8: 6}  # what undoes a turn; others undo themselves
_SWAPPED = {5, 6, 7, 8}  # where width becomes height
_MIRRORED = {2, 3, 6, 7}  # where x, of the image as it is shown, counts from the other side
_UPSIDE_DOWN = {3, 4, 7, 8}  # where y does


def back(orientation: int) -> int:
    """Return the orientation that undoes another one, from 1 to 8."""
    return _BACK.get(orientation, orientation)


def turned_size(size: Size, orientation: int) -> Size:
    """Return the (width, height) of an image that is turned."""
    return (size[1], size[0]) if orientation in _SWAPPED else size


def turned(image: LabelledImage, orientation: int) -> LabelledImage:
    """Return an image whose objects are where they are once it is turned; ValueError where a mask is broken."""
    if orientation == _UPRIGHT:
        return image
    objects = tuple(_turned_object(each, orientation) for each in image.objects)
    return replace(image, objects=objects, size=image.size and turned_size(image.size, orientation))


def _turned_object(each: LabelledObject, orientation: int) -> LabelledObject:
    return replace(
        each,
        box=_turned_box(each.box, orientation),
        polygons=tuple(_turned_outline(outline, orientation) for outline in each.polygons),
        mask=each.mask and _turned_mask(each.mask, orientation),
    )


def _turned_box(box: Box, orientation: int) -> Box:
    left, top, right, bottom = (box[1], box[0], box[3], box[2]) if orientation in _SWAPPED else box
    if orientation in _MIRRORED:
        left, right = 1 - right, 1 - left
    if orientation in _UPSIDE_DOWN:
        top, bottom = 1 - bottom, 1 - top
    return left, top, right, bottom


def _turned_outline(outline: Outline, orientation: int) -> Outline:
    points = []
    for at in range(0, len(outline) - 1, 2):
        x, y = (outline[at + 1], outline[at]) if orientation in _SWAPPED else outline[at : at + 2]
        points += [1 - x if orientation in _MIRRORED else x, 1 - y if orientation in _UPSIDE_DOWN else y]
    return tuple(points)


def _turned_mask(mask: RunLengths, orientation: int) -> RunLengths:
    pixels = pixels_of_runs(mask)
    if orientation in _SWAPPED:
        pixels = pixels.T
    if orientation in _MIRRORED:
        pixels = np.fliplr(pixels)
    return run_lengths(np.flipud(pixels) if orientation in _UPSIDE_DOWN else pixels)
