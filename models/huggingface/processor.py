"""preprocessor_config.json: how the image processors of transformers prepare pictures, in words of our own.

The library's Pillow processor fills in what the file leaves out. Whether our words say the same as it does is verified
on drawn images, since a processor may do anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import ModelError, first_line
from models.huggingface.library_processor import library_processor
from models.images.calibration import calibration_images
from models.images.preprocess import Statistics
from settings.json_file import JsonFile

_FILTERS = {Image.Resampling.BILINEAR: "bilinear", Image.Resampling.BICUBIC: "bicubic"} | {
    Image.Resampling.LANCZOS: "lanczos"
}
_CELLS = {"YolosImageProcessorPil": 16}  # pixels
_UNBOUNDED = 10**9  # pixels
_ODD = (151, 97)  # pixels of a picture that leaves odd remainders
_SAME = 1e-4  # of normalised values

Size = tuple[int, int]  # height, width


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a processor prepares a picture. `size` has the keys that the library has, in pixels.

    `crop` is the size that is cut out of the middle after that, `pad` what a picture is padded to on the right and
    below; None for neither. Sizes are rounded up to multiples of `divisor`, those that keep the aspect ratio down to
    multiples of `cell`. With `share` a side below 384 is that of a crop, so large a share of what is cropped.
    """

    size: Mapping[str, int]
    statistics: Statistics
    crop: Size | None = None
    pad: Size | None = None
    divisor: int = 1
    cell: int = 1
    share: float | None = None

    @property
    def fixed(self) -> Size | None:
        """The (height, width) of the network's input where it is the same for all pictures."""
        return self.pad or (self.resized(1, 1) if "height" in self.size else None)

    @property
    def largest(self) -> Size:
        """The (height, width) that no picture exceeds before it is padded."""
        size = self.size
        if "height" in size or "max_height" in size:
            return size.get("height", size.get("max_height", 0)), size.get("width", size.get("max_width", 0))
        return (size.get("longest_edge", _UNBOUNDED),) * 2

    @property
    def side(self) -> int:
        """The shorter side, in pixels, that a picture is resized to at most."""
        return self.size.get("shortest_edge") or max(self.largest)

    def resized(self, height: int, width: int) -> Size:
        """Return the (height, width) in pixels that a picture is resized to before anything is cropped or padded."""
        size = self.size
        if "height" in size:
            found = size["height"], size["width"]
        elif "max_height" in size:
            scale = min(size["max_height"] / height, size["max_width"] / width)
            found = int(height * scale), int(width * scale)
        else:
            found = _fitted(height, width, size["shortest_edge"], size.get("longest_edge", _UNBOUNDED))
        # a side of a very thin picture would vanish
        height, width = (max(side // self.cell * self.cell, self.cell) for side in found)
        return -(-height // self.divisor) * self.divisor, -(-width // self.divisor) * self.divisor

    def padded(self, size: Size) -> Size:
        """Return the (height, width) of the network's input for a picture that was resized to `size`."""
        return self.pad or size


def read_recipe(file: JsonFile, config: Any) -> tuple[Recipe, Any]:
    """Return the recipe that a preprocessor_config.json describes, and the library's processor, to verify it.

    `config` is the library's configuration of the network. ModelError where the file describes no processor, or one
    that does something else than resizing, cropping, scaling and padding.
    """
    try:
        processor = library_processor(file.content, config)
        recipe = _recipe(processor)
    except ModelError as error:
        raise ModelError(f"{file.path}: {error}") from None
    except Exception as error:  # whatever the constructors of the library raise
        raise ModelError(f"{file.path} describes no image processor: {first_line(error).rstrip('.')}.") from None
    return recipe, processor


def verify_preprocessing(file: Path, processor: Any, seen: Callable[[Image.Image], NDArray[np.float32]]) -> None:
    """Compare `seen`, from a picture to what the network sees, float32 [3, H, W], with what a processor makes of it.

    ModelError where they differ.
    """
    pictures = list(calibration_images(2))
    for picture in (*pictures, pictures[0].crop((0, 0, *_ODD))):
        try:
            wanted = processor(images=picture, return_tensors="np")["pixel_values"][0]
        except Exception as error:  # as above
            raise ModelError(f"{file}: the processor fails with a picture: {first_line(error)}") from None
        found = seen(picture)
        if found.shape != wanted.shape or float(np.abs(found - wanted).max()) > _SAME:
            kind = type(processor).__name__.removesuffix("Pil")
            raise ModelError(
                f"{file}: a {kind} with these values prepares pictures in a way of its own, which is not supported. "
                "Supported are resizing, a centre crop, rescaling, normalising, and padding on the right and below."
            )


def _recipe(processor: Any) -> Recipe:
    told = {name: value for name, value in dict(processor.size or {}).items() if value}
    if not getattr(processor, "do_resize", False) or set(told) not in (
        {"height", "width"},
        {"shortest_edge"},
        {"shortest_edge", "longest_edge"},
        {"max_height", "max_width"},
    ):
        raise ModelError(
            f"do_resize is {getattr(processor, 'do_resize', None)!r} and size {told}; expected true, and height and "
            "width, shortest_edge with or without longest_edge, or max_height and max_width."
        )
    pads = getattr(processor, "do_pad", False) and getattr(processor, "pad_size", None)
    recipe = Recipe(
        told,
        _statistics(processor),
        crop=_pair(processor.crop_size) if getattr(processor, "do_center_crop", False) else None,
        pad=_pair(processor.pad_size) if pads else None,
        divisor=getattr(processor, "size_divisor", None) or 1,
        cell=_CELLS.get(type(processor).__name__, 1) if "shortest_edge" in told else 1,
        share=getattr(processor, "crop_pct", None),
    )
    if recipe.pad is not None and any(side > pad for side, pad in zip(recipe.largest, recipe.pad, strict=True)):
        raise ModelError(
            f"pad_size is {recipe.pad[1]}x{recipe.pad[0]}, but pictures of size {told} may be larger. Enlarge "
            "pad_size, or leave it out."
        )
    return recipe


def _statistics(processor: Any) -> Statistics:
    """Gather how values are scaled: what is normalised is in units of [0, 1] here, whatever the factor there."""
    factor = processor.rescale_factor if processor.do_rescale else 1.0
    mean, std = (processor.image_mean, processor.image_std) if processor.do_normalize else ([0.0] * 3, [1.0] * 3)
    if len(mean) != 3 or len(std) != 3:
        raise ModelError(f"image_mean is {mean} and image_std {std}; expected a number for each of three channels.")
    name = _FILTERS.get(processor.resample)
    if name is None:
        raise ModelError(f"resample is {processor.resample}; supported are 1 (lanczos), 2 (bilinear) and 3 (bicubic).")
    unit = 255 * factor
    return Statistics(
        tuple(value / unit for value in mean),
        tuple(value / unit for value in std),
        name,
        crop_rounding="transformers",
        exif=True,
    )


def _pair(size: Any) -> Size:
    return int(size["height"]), int(size["width"])


def _fitted(height: int, width: int, shortest: int, longest: int) -> Size:
    """Fit the shorter side, or the longer where that would be too long; which of them is rounded is the library's."""
    short, long = min(height, width), max(height, width)
    scale: float = shortest
    if long / short * shortest > longest:
        scale = longest * short / long
    side = round(scale)
    if short == side:
        return height, width
    # in this order, as a product is rounded before it is divided
    other = int(scale * long / short)
    return (other, side) if width < height else (side, other)
