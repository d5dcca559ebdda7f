"""MaskedPicture: the image of a cell, decoded, and its copies under random masks, encoded like itself."""

from base64 import b64encode
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explain.errors import ExplanationError
from explain.perturbation.fills import FILLS, fill
from explain.perturbation.mask_sampling import MaskSampling
from explain.request.parameters import ExplanationParameters
from models.images.decoding import ImageLimits, decode, read_header

_LONGEST_SIDE = 1024  # pixels; encoding hundreds of larger copies takes longer than most scripts do
_ORIENTATION = 0x0112  # the tag of EXIF
_QUALITY = 95


class MaskedPicture:
    """An image to mask. `pixels`, uint8 [H, W, 3], are as stored in the file, or fewer where that is very large.

    Any thread may make one, and call its methods. Raises ImageError, or ExplanationError `xai_parameters_invalid` for a
    baseline that only a network knows.
    """

    def __init__(self, data: bytes, limits: ImageLimits, parameters: ExplanationParameters) -> None:
        if unknown := [name for name in parameters.baseline if name not in FILLS]:
            raise ExplanationError(
                "xai_parameters_invalid",
                f"'baseline' is {unknown[0]!r}, which a script has not. Expected of {', '.join(sorted(FILLS))}.",
            )
        header = read_header(data, limits)
        image = decode(data, limits)
        self._notes: tuple[str, ...] = ()
        if (longest := max(image.size)) > _LONGEST_SIDE:
            size = [max(1, round(side * _LONGEST_SIDE / longest)) for side in image.size]
            self._notes = (f"The script saw masked copies of {size[0]} x {size[1]} pixels.",)
            image = image.resize((size[0], size[1]), Image.Resampling.BOX)
        self.pixels: NDArray[np.uint8] = np.asarray(image)
        fills = [fill(name, self.pixels) for name in parameters.baseline]
        self.sampling = MaskSampling(
            self.pixels, fills, n_masks=parameters.n_masks, share=parameters.mask_share, seed=parameters.seed
        )
        self._format = "JPEG" if header.format == "JPEG" else "PNG"
        self._exif = Image.Exif()
        if header.orientation != 1:  # a script that heeds it turns the copies, too
            self._exif[_ORIENTATION] = header.orientation

    def copy(self, number: int) -> str:
        """Return the image under the mask `number` as a file in base64: a JPEG for a JPEG, else a PNG."""
        file = BytesIO()
        image = Image.fromarray(self.sampling.masked(number))
        if self._format == "JPEG":
            image.save(file, "JPEG", quality=_QUALITY, subsampling=0, exif=self._exif)
        else:
            image.save(file, "PNG", compress_level=1, exif=self._exif)
        return b64encode(file.getvalue()).decode("ascii")

    def notes(self, target: int, agreement: float, *, in_time: bool) -> tuple[str, ...]:
        """Return sentences for people; see `MaskSampling.notes`."""
        return self.sampling.notes(target, agreement, in_time=in_time) + self._notes
