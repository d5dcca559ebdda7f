"""PlacedAttribution: an attribution in the coordinates of the whole image, and how much of it lies on the object."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from explain.attribution import Attribution
from explain.detection.box_target import BoxTarget
from models.images.model_input import DecodedImage


@dataclass(frozen=True, slots=True)
class PlacedAttribution:
    """An attribution, [H, W] or [3, H, W], of a target in the whole image as the network saw it.

    `corners`, float64 [4], are those of the box as shares of the image. `forward_passes` ran for it, the one that
    scored its input included.
    """

    target: BoxTarget
    attribution: Attribution
    corners: NDArray[np.float64]
    forward_passes: int = 1

    @property
    def values(self) -> NDArray[np.float32]:
        """The sum over the colours, float32 [H, W]."""
        values: NDArray[np.float32] = self.attribution.values.numpy()
        return values.sum(0) if values.ndim == 3 else values

    def inside(self, mask: NDArray[np.bool_]) -> float:
        """Return the share of the positive values within a mask, bool [H, W]; 0 where there are none."""
        positive = self.values.clip(0)
        total = float(positive.sum(dtype=np.float64))
        return float(positive[mask].sum(dtype=np.float64)) / total if total > 0 else 0.0

    def box_mask(self) -> NDArray[np.bool_]:
        """Return the pixels of the box, bool [H, W]; its edges are rounded."""
        height, width = self.values.shape
        left, top, right, bottom = (int(edge) for edge in np.rint(self.corners * (width, height, width, height)))
        mask = np.zeros((height, width), dtype=bool)
        mask[top : max(bottom, top + 1), left : max(right, left + 1)] = True
        return mask

    def outline_mask(self, outlines: Sequence[Sequence[float]]) -> NDArray[np.bool_]:
        """Return the pixels within outlines, each x, y, x, y and so on as shares of the image: bool [H, W].

        Pixels that an even number of them covers are outside.
        """
        height, width = self.values.shape
        mask = np.zeros((height, width), dtype=bool)
        for outline in outlines:
            sheet = Image.new("1", (width, height))
            points = [(x * width - 0.5, y * height - 0.5) for x, y in zip(outline[::2], outline[1::2], strict=True)]
            ImageDraw.Draw(sheet).polygon(points, fill=1)
            mask ^= np.asarray(sheet)
        return mask

    def points_inside(self, mask: NDArray[np.bool_]) -> bool:
        """Return whether the highest value lies within a mask, bool [H, W]."""
        values = self.values
        return bool(values.max() > 0 and mask.flat[int(values.argmax())])


def placed(image: DecodedImage, number: int, target: BoxTarget, attribution: Attribution) -> PlacedAttribution:
    """Place an attribution of input `number` in the whole image; what a tile does not show is 0."""
    whole, tile = image.tiles[0], image.tiles[number]
    height, width = image.inputs[number].data.size
    shares = target.corners.double().numpy() / (width, height, width, height)
    corners = (shares * (tile.size * 2) + (tile.left, tile.top) * 2) / (whole.size * 2)
    if number:
        note = f"Explained in the tile from ({tile.left}, {tile.top}) to ({tile.right}, {tile.bottom}) of the picture."
        pasted = _pasted(attribution.values, image, number)
        attribution = replace(attribution, values=pasted, notes=(*attribution.notes, note))
    return PlacedAttribution(target, replace(attribution, notes=(*attribution.notes, *target.notes)), corners)


def _pasted(values: Tensor, image: DecodedImage, number: int) -> Tensor:
    whole, tile = image.tiles[0], image.tiles[number]
    height, width = image.inputs[0].data.size
    across, down = width / whole.size[0], height / whole.size[1]
    left, top = round(tile.left * across), round(tile.top * down)
    right, bottom = max(left + 1, round(tile.right * across)), max(top + 1, round(tile.bottom * down))
    shaped = values[None] if values.dim() == 2 else values
    resized = functional.interpolate(shaped[None], size=(bottom - top, right - left), mode="bilinear")[0]
    result = torch.zeros(len(shaped), height, width)
    result[:, top:bottom, left:right] = resized[:, : height - top, : width - left]
    return result[0] if values.dim() == 2 else result
