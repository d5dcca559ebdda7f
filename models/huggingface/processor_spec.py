"""ProcessorSpec: what an image processor of transformers does, in terms of resizing, cropping, scaling and padding.

The values come from the library's own processor, which fills in what preprocessor_config.json leaves out. A processor
may do anything else besides, so the result is compared with it on drawn images.
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
_FLOOR_MULTIPLES = {"YolosImageProcessorPil": 16}  # pixels
_UNBOUNDED = 10**9  # pixels
_ODD = (151, 97)  # pixels of an image that leaves odd remainders
_ALLOWED = 1e-4  # difference of normalised values

Size = tuple[int, int]  # height, width


@dataclass(frozen=True, slots=True)
class ProcessorSpec:
    """How a processor prepares an image. `size` has the keys of the library, in pixels.

    After resizing, `crop` (height, width) is cut out of the middle, and the image is padded on the right and below to
    `pad`; None leaves a step out. Sizes are rounded up to multiples of `divisor`; before that, sizes that keep
    the aspect ratio are rounded down to multiples of `floor_multiple`. With `crop_fraction`, a `shortest_edge` below
    384 is the side of a crop, which is that fraction of the resized side.
    """

    size: Mapping[str, int]
    statistics: Statistics
    crop: Size | None = None
    pad: Size | None = None
    divisor: int = 1
    floor_multiple: int = 1
    crop_fraction: float | None = None

    @property
    def fixed(self) -> Size | None:
        """The (height, width) of the network's input where it is the same for all images."""
        return self.pad or (self.resized(1, 1) if "height" in self.size else None)

    @property
    def largest(self) -> Size:
        """The (height, width) that no image exceeds before it is padded."""
        size = self.size
        if "height" in size or "max_height" in size:
            return size.get("height", size.get("max_height", 0)), size.get("width", size.get("max_width", 0))
        return (size.get("longest_edge", _UNBOUNDED),) * 2

    @property
    def side(self) -> int:
        """The longest shorter side, in pixels, that an image is resized to."""
        return self.size.get("shortest_edge") or max(self.largest)

    def resized(self, height: int, width: int) -> Size:
        """Return the (height, width) in pixels that an image is resized to, before any crop or padding."""
        size = self.size
        if "height" in size:
            sides = size["height"], size["width"]
        elif "max_height" in size:
            scale = min(size["max_height"] / height, size["max_width"] / width)
            sides = int(height * scale), int(width * scale)
        else:
            sides = _fitted(height, width, size["shortest_edge"], size.get("longest_edge", _UNBOUNDED))
        # at least one multiple of a very thin image
        height, width = (max(side // self.floor_multiple * self.floor_multiple, self.floor_multiple) for side in sides)
        return -(-height // self.divisor) * self.divisor, -(-width // self.divisor) * self.divisor

    def padded(self, size: Size) -> Size:
        """Return the (height, width) of the network's input for an image that was resized to `size`."""
        return self.pad or size


def processor_spec(file: JsonFile, config: Any) -> tuple[ProcessorSpec, Any]:
    """Return the spec of a preprocessor_config.json, and the library's processor to verify it with.

    `config` is the library's configuration of the network. ModelError where the file describes no processor, or one
    whose steps are not supported.
    """
    try:
        processor = library_processor(file.content, config)
        spec = _spec(processor)
    except ModelError as error:
        raise ModelError(f"{file.path}: {error}") from None
    except Exception as error:  # whatever the constructors of the library raise
        raise ModelError(f"{file.path} describes no image processor: {first_line(error).rstrip('.')}.") from None
    return spec, processor


def verify_preprocessing(file: Path, processor: Any, prepare: Callable[[Image.Image], NDArray[np.float32]]) -> None:
    """Compare `prepare`, from an image to the network's input, float32 [3, H, W], with the library's processor.

    ModelError where they differ.
    """
    images = list(calibration_images(2))
    for image in (*images, images[0].crop((0, 0, *_ODD))):
        try:
            expected = processor(images=image, return_tensors="np")["pixel_values"][0]
        except Exception as error:  # whatever the library raises
            raise ModelError(f"{file}: the processor fails with a picture: {first_line(error)}") from None
        prepared = prepare(image)
        if prepared.shape != expected.shape or float(np.abs(prepared - expected).max()) > _ALLOWED:
            kind = type(processor).__name__.removesuffix("Pil")
            raise ModelError(
                f"{file}: a {kind} with these values prepares pictures in a way of its own, which is not supported. "
                "Supported are resizing, a centre crop, rescaling, normalising, and padding on the right and below."
            )


def _spec(processor: Any) -> ProcessorSpec:
    size = {name: value for name, value in dict(processor.size or {}).items() if value}
    if not getattr(processor, "do_resize", False) or set(size) not in (
        {"height", "width"},
        {"shortest_edge"},
        {"shortest_edge", "longest_edge"},
        {"max_height", "max_width"},
    ):
        raise ModelError(
            f"do_resize is {getattr(processor, 'do_resize', None)!r} and size {size}; expected true, and height and "
            "width, shortest_edge with or without longest_edge, or max_height and max_width."
        )
    pads = getattr(processor, "do_pad", False) and getattr(processor, "pad_size", None)
    spec = ProcessorSpec(
        size,
        _statistics(processor),
        crop=_pair(processor.crop_size) if getattr(processor, "do_center_crop", False) else None,
        pad=_pair(processor.pad_size) if pads else None,
        divisor=getattr(processor, "size_divisor", None) or 1,
        floor_multiple=_FLOOR_MULTIPLES.get(type(processor).__name__, 1) if "shortest_edge" in size else 1,
        crop_fraction=getattr(processor, "crop_pct", None),
    )
    if spec.pad is not None and any(side > pad for side, pad in zip(spec.largest, spec.pad, strict=True)):
        raise ModelError(
            f"pad_size is {spec.pad[1]}x{spec.pad[0]}, but pictures of size {size} may be larger. Enlarge "
            "pad_size, or leave it out."
        )
    return spec


def _statistics(processor: Any) -> Statistics:
    """Return how values are scaled: here in units of [0, 1], whatever the factor in the processor."""
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
    """Fit the shorter side, or the longer side where it would be too long; sides are rounded as in the library."""
    short, long = min(height, width), max(height, width)
    scale: float = shortest
    if long / short * shortest > longest:
        scale = longest * short / long
    side = round(scale)
    if short == side:
        return height, width
    # in this order, as floating point rounds the product before the division
    other = int(scale * long / short)
    return (other, side) if width < height else (side, other)
