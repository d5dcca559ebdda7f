"""Segments: the overlapping regions that XRAI ranks.

Every label of every scale becomes one region, grown by five pixels so that it includes its own edge
(https://arxiv.org/abs/1906.02825). A region is stored as a list of pixels instead of a mask: an image has hundreds of
regions, and most of them are small.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.regions.oversegmentation import Labels, label_maps
from models.machine_code import compiled

_RADIUS = 5  # pixels of the image

# half the width of the disk at each distance from its middle row
_DISK = np.array([int((_RADIUS**2 - row**2) ** 0.5) for row in range(_RADIUS + 1)])


@dataclass(frozen=True, slots=True)
class Segments:
    """The regions of an image of `height` x `width` pixels.

    Region r holds the pixels `pixels[starts[r]:starts[r + 1]]` (int32, y * width + x, ascending). Regions are ordered
    by scale, then by label. If a label vanished when its map was resized, its region is empty.
    """

    height: int
    width: int
    starts: NDArray[np.int64]  # [R + 1]
    pixels: NDArray[np.int32]  # [total]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def region(self, number: int) -> NDArray[np.int32]:
        """Return the pixels of one region."""
        return self.pixels[self.starts[number] : self.starts[number + 1]]


def segments(image: NDArray[np.uint8]) -> Segments:
    """Find the regions of an image, uint8 [H, W, 3]. They depend neither on the network nor on a label."""
    return grown(label_maps(image))


def grown(maps: list[Labels]) -> Segments:
    """Return a region for each label of each map, int32 [H, W], grown by a disk with a radius of five pixels."""
    height, width = maps[0].shape
    starts, pixels = [np.zeros(1, np.int64)], []
    for labels in maps:
        ends, found = _grown(labels, int(labels.max()) + 1, _DISK)
        starts.append(starts[-1][-1] + ends)
        pixels.append(found)
    return Segments(height, width, np.concatenate(starts), np.concatenate(pixels))


@compiled
def _grown(labels: Labels, count: int, disk: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the end of each grown label in the list of pixels, and that list."""
    height, width = labels.shape
    radius = len(disk) - 1
    boxes = _boxes(labels, count, radius)  # [count, 4]: top, bottom, left, right; exclusive
    offsets = np.zeros(count + 1, np.int64)
    for label in range(count):
        top, bottom, left, right = boxes[label]
        offsets[label + 1] = offsets[label] + (bottom - top) * (right - left)
    inside = np.zeros(offsets[-1], np.uint8)
    for y in range(height):
        x = 0
        while x < width:
            label, start = labels[y, x], x
            while x < width and labels[y, x] == label:
                x += 1
            top, _, left, right = boxes[label]
            for row in range(max(0, y - radius), min(height, y + radius + 1)):
                reach = disk[abs(row - y)]
                line = offsets[label] + (row - top) * (right - left) - left
                inside[line + max(0, start - reach) : line + min(width, x + reach)] = 1
    ends = np.empty(count, np.int64)
    pixels = np.empty(np.count_nonzero(inside), np.int32)
    found = 0
    for label in range(count):
        top, bottom, left, right = boxes[label]
        at = offsets[label]
        for y in range(top, bottom):
            for x in range(left, right):
                if inside[at]:
                    pixels[found] = y * width + x
                    found += 1
                at += 1
        ends[label] = found
    return ends, pixels


@compiled
def _boxes(labels: Labels, count: int, radius: int) -> NDArray[np.int64]:
    height, width = labels.shape
    boxes = np.zeros((count, 4), np.int64)
    boxes[:, 0], boxes[:, 2] = height, width
    for y in range(height):
        for x in range(width):
            box = boxes[labels[y, x]]
            box[0], box[1] = min(box[0], y), y + 1
            box[2], box[3] = min(box[2], x), max(box[3], x + 1)
    for label in range(count):
        box = boxes[label]
        if box[1] == 0:  # no pixel
            box[:] = 0
        else:
            box[0], box[1] = max(0, box[0] - radius), min(height, box[1] + radius)
            box[2], box[3] = max(0, box[2] - radius), min(width, box[3] + radius)
    return boxes
