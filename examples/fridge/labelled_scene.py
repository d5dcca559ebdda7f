"""Images of several objects with their labels, boxes and masks: what detectors train on and are tested with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from examples.fridge.labelled_image import BACKGROUND, DrawnImage
from examples.fridge.parallel import parallel_map
from examples.fridge.scene import LABELS, draw_scene

NO_INSTANCE = 255


@dataclass(frozen=True, slots=True)
class LabelledScene:
    """An image of 1 to 4 objects.

    image: uint8 (H, W, 3) RGB. labels: int64 (N,), indexes into LABELS. boxes: float32 (N, 4), left, top, right,
    bottom in pixels, right and bottom exclusive. instance_map: uint8 (H, W), which of the N objects each pixel shows,
    or NO_INSTANCE.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float32]
    instance_map: NDArray[np.uint8]

    def masks(self) -> NDArray[np.bool_]:
        """Return the visible pixels of each object, bool (N, H, W)."""
        return np.asarray(np.arange(len(self.labels), dtype=np.uint8)[:, None, None] == self.instance_map)

    def labelled_images(self) -> list[DrawnImage]:
        """Return the image once per object, each time with another object as the one that counts."""
        classes = np.full(256, BACKGROUND, dtype=np.uint8)
        classes[: len(self.labels)] = self.labels
        class_map = classes[self.instance_map]
        images = []
        for label, box in zip(self.labels, self.boxes, strict=True):
            left, top, right, bottom = (int(edge) for edge in box)
            images.append(DrawnImage(self.image, int(label), class_map, (left, top, right, bottom)))
        return images


def draw_labelled_scenes(what: str, seeds: Sequence[int], size: tuple[int, int]) -> list[LabelledScene]:
    """Draw one image of 1 to 4 objects per seed at `size` (width, height), and show progress as `what`."""
    return parallel_map(what, partial(draw_labelled_scene, size), seeds)


def draw_labelled_scene(size: tuple[int, int], seed: int) -> LabelledScene:
    """Draw the image of a seed at `size` (width, height)."""
    scene = draw_scene(seed, size=size)
    instance_map = np.full(scene.image.shape[:2], NO_INSTANCE, dtype=np.uint8)
    for index, item in enumerate(scene.objects):
        instance_map[item.mask] = index
    labels = np.array([LABELS.index(item.label) for item in scene.objects])
    boxes = np.array([item.box for item in scene.objects], dtype=np.float32)
    return LabelledScene(scene.image, labels, boxes, instance_map)
