"""Instances: what was found in all inputs of an image, joined in the image's own frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.adapter import Detections
from models.images.model_input import DecodedImage
from models.images.tiling import Tile, surviving
from models.predictions import Object


@dataclass(frozen=True, slots=True)
class Instances:
    """Objects in the order they are told.

    `boxes` float64 [N, 4]: left, top, right, bottom as shares of the image in [0, 1]. `scores` float32 [N], `labels`
    int64 [N]. `masks` are those of Detections, or None. `size` is the (height, width) in pixels at which masks are
    drawn, `settings` what the request asked for.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    masks: Sequence[NDArray[Any]] | None
    size: tuple[int, int]
    settings: Any

    def chosen(self, which: NDArray[Any]) -> "Instances":
        """Return those that an array of indexes selects, in its order."""
        masks = None if self.masks is None else [self.masks[number] for number in which]
        return Instances(self.boxes[which], self.scores[which], self.labels[which], masks, self.size, self.settings)


def join(picture: DecodedImage, found: Sequence[Detections], size: tuple[int, int]) -> Instances:
    """Join what was found in the inputs of an image, best score first, as many as the settings allow.

    With tiles, an object that several tiles show is told once, see tiling.surviving. With `compatibility:
    azureml` the order is that of the tiles, and all that are left are told, as by the hosted endpoint.
    """
    boxes = np.concatenate(
        [_placed(one, tile, picture.tiles[0]) for one, tile in zip(found, picture.tiles, strict=True)]
    )
    masks = [mask.numpy() for one in found for mask in one.masks or ()]
    joined = Instances(
        boxes,
        np.concatenate([one.scores.numpy() for one in found]),
        np.concatenate([one.labels.numpy() for one in found]),
        None if found[0].masks is None else masks,
        size,
        picture.settings,
    )
    if len(found) > 1:
        owners = np.repeat(np.arange(len(found)), [len(one.scores) for one in found])
        threshold = picture.settings.tile_predictions_nms_thresh
        joined = joined.chosen(surviving(joined.boxes, joined.scores, joined.labels, owners, threshold))
        if picture.settings.compatibility == "azureml":
            return joined
    return joined.chosen(np.argsort(-joined.scores, kind="stable")[: picture.settings.most_boxes])


def objects(instances: Instances, labels: Sequence[str]) -> list[Object]:
    """Write instances in the words of the wire contract."""
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


def _placed(found: Detections, tile: Tile, whole: Tile) -> NDArray[np.float64]:
    """Bring boxes from shares of a tile to shares of the whole picture."""
    boxes = found.boxes.numpy().astype(np.float64)
    if tile == whole:
        return boxes
    placed: NDArray[np.float64] = (boxes * (tile.size * 2) + (tile.left, tile.top) * 2) / (whole.size * 2)
    return placed
