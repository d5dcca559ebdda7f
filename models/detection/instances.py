"""Instances: the detections in all inputs of an image, joined in the coordinates of the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.adapter import Detections
from models.images.model_input import DecodedImage
from models.images.tiling import Tile, surviving
from models.labels import Label
from models.predictions import Object


@dataclass(frozen=True, slots=True)
class Instances:
    """Objects in the order of the reply.

    `boxes` float64 [N, 4]: left, top, right, bottom as shares of the image in [0, 1]. `scores` float32 [N], `labels`
    int64 [N]. `masks` are those of Detections, or None. `size` is the (height, width) in pixels at which masks are
    pasted, `settings` are those of the request. `owners`, int64 [N], are the inputs in which they were found.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    masks: Sequence[NDArray[Any]] | None
    size: tuple[int, int]
    settings: Any
    owners: NDArray[np.int64]

    def select(self, indexes: NDArray[Any]) -> "Instances":
        """Return the objects at `indexes`, in that order."""
        masks = None if self.masks is None else [self.masks[index] for index in indexes]
        return Instances(
            self.boxes[indexes],
            self.scores[indexes],
            self.labels[indexes],
            masks,
            self.size,
            self.settings,
            self.owners[indexes],
        )


def join(image: DecodedImage, detections: Sequence[Detections], size: tuple[int, int]) -> Instances:
    """Join the detections in the inputs of an image, best score first, as many as the settings allow.

    With tiles, an object that several tiles show is kept once, see tiling.surviving. With `compatibility: azureml` the
    order is that of the tiles and all remaining objects are kept, as at the hosted endpoint.
    """
    settings, whole = image.settings, image.tiles[0]
    boxes = [_in_image(each, tile, whole) for each, tile in zip(detections, image.tiles, strict=True)]
    masks = [mask.numpy() for each in detections for mask in each.masks or ()]
    joined = Instances(
        np.concatenate(boxes),
        np.concatenate([each.scores.numpy() for each in detections]),
        np.concatenate([each.labels.numpy() for each in detections]),
        None if detections[0].masks is None else masks,
        size,
        settings,
        np.repeat(np.arange(len(detections)), [len(each.scores) for each in detections]),
    )
    if len(detections) > 1:
        threshold = settings.tile_predictions_nms_thresh
        joined = joined.select(surviving(joined.boxes, joined.scores, joined.labels, joined.owners, threshold))
        if settings.compatibility == "azureml":
            return joined
    return joined.select(np.argsort(-joined.scores, kind="stable")[: settings.most_boxes])


def objects(instances: Instances, labels: Sequence[Label]) -> list[Object]:
    """Write instances with the keys of the wire contract."""
    return [
        {
            "box": {"topX": left, "topY": top, "bottomX": right, "bottomY": bottom},
            "label": labels[label],
            "score": score,
        }
        for (left, top, right, bottom), label, score in zip(
            instances.boxes.tolist(), instances.labels.tolist(), instances.scores.tolist(), strict=True
        )
    ]


def _in_image(detections: Detections, tile: Tile, whole: Tile) -> NDArray[np.float64]:
    """Convert boxes from shares of a tile to shares of the whole image."""
    boxes = detections.boxes.numpy().astype(np.float64)
    if tile == whole:
        return boxes
    placed: NDArray[np.float64] = (boxes * (tile.size * 2) + (tile.left, tile.top) * 2) / (whole.size * 2)
    return placed
