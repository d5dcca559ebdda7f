"""settings.json: one frozen model per kind of network, with its keys, aliases and ranges.

Defaults are those of AutoML for Images: a folder without the file scores as it does at the hosted endpoint.
"""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Side = Annotated[int, Field(ge=1, le=8192)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]

_CELL = 32  # pixels; the coarsest grid of yolov5
_GRID_TEXT = re.compile(r"\(?\s*(\d+)\s*[xX,]\s*(\d+)\s*\)?")


def _tile_grid(value: Any) -> Any:
    """Accept the spellings of training, `"(3, 2)"` and `"3x2"`, besides the list of serving."""
    if isinstance(value, str):
        match = _GRID_TEXT.fullmatch(value.strip())
        if match is None:
            raise ValueError("expected two whole numbers such as [3, 2], '(3, 2)' or '3x2'")
        value = [int(number) for number in match.groups()]
    if isinstance(value, list):
        value = tuple(value)
    if value == (1, 1):
        raise ValueError("a grid of one tile is the whole picture; leave the key out to switch tiling off")
    return value


def _whole_cells(value: int) -> int:
    if value % _CELL:
        raise ValueError(f"the next multiple is {-(-value // _CELL) * _CELL}")
    return value


TileGrid = Annotated[
    tuple[Annotated[int, Field(ge=1, le=64)], Annotated[int, Field(ge=1, le=64)]], BeforeValidator(_tile_grid)
]


class ModelSettings(BaseModel):
    """Base of every settings.json schema: strictly typed, but a whole number may stand for a fraction.

    `sizes` names the fields that determine the size of the network's input, `per_request` those that a request may set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())

    sizes: ClassVar[tuple[str, ...]] = ()
    per_request: ClassVar[tuple[str, ...]] = ()


class ClassificationSettings(ModelSettings):
    """Sizes of the input of a classification network, and the form of its replies."""

    sizes: ClassVar[tuple[str, ...]] = ("valid_resize_size", "valid_crop_size")

    valid_resize_size: Side = Field(
        256,
        validation_alias=AliasChoices("valid_resize_size", "resize_size"),
        description="The shorter side, in pixels, that an image is resized to before the centre crop.",
    )
    valid_crop_size: Side = Field(
        224,
        validation_alias=AliasChoices("valid_crop_size", "crop_size"),
        description="The side, in pixels, of the square centre crop that the network sees.",
    )
    train_crop_size: Side = Field(224, description="The crop used in training; kept for reference, unused in scoring.")
    reply_format: Literal["probs", "ranked"] = Field(
        "probs",
        description="probs: `probs` and `labels` in the order of training; ranked: labels with their scores, the best "
        "first, which is the default of Hugging Face models trained by AutoML.",
    )


class _BoxSettings(ModelSettings):
    """What all detectors share: thresholds on boxes, tiling, and how to read an image."""

    per_request: ClassVar[tuple[str, ...]] = (
        "box_score_thresh",
        "nms_iou_thresh",
        "tile_grid_size",
        "tile_overlap_ratio",
        "tile_predictions_nms_thresh",
        "exif",
        "compatibility",
    )

    box_score_thresh: Fraction = Field(0.3, description="Only boxes with a score above this are returned.")
    nms_iou_thresh: Fraction = Field(
        0.5,
        validation_alias=AliasChoices("nms_iou_thresh", "box_nms_thresh", "box_iou_thresh"),
        description="Of two boxes of one label that overlap by more than this IoU, the lower score is dropped; "
        "1 keeps all.",
    )
    tile_grid_size: TileGrid | None = Field(
        None, description="Tiles along the width and along the height, such as [3, 2]; null switches tiling off."
    )
    tile_overlap_ratio: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.25, description="The share of a tile that the next tile overlaps."
    )
    tile_predictions_nms_thresh: Fraction = Field(
        0.25, description="IoU above which a box of one tile suppresses the same label's box of another tile."
    )
    exif: bool = Field(False, description="Turn an image by its EXIF orientation; boxes are those of the turned image.")
    compatibility: Literal["azureml"] | None = Field(
        None, description="azureml: with tiling, return all remaining boxes, in the hosted endpoint's order."
    )


class DetectionSettings(_BoxSettings):
    """Faster R-CNN and RetinaNet."""

    sizes: ClassVar[tuple[str, ...]] = ("min_size", "max_size")
    per_request: ClassVar[tuple[str, ...]] = (*_BoxSettings.per_request, "box_detections_per_img")

    min_size: Side = Field(600, description="The shorter side, in pixels, that an image is resized to.")
    max_size: Side = Field(1333, description="The bound, in pixels, on the longer side after that resize.")
    box_detections_per_img: Annotated[int, Field(ge=1, le=10000)] = Field(
        100, description="The most boxes returned for an image, and for each of its tiles."
    )

    @property
    def most_boxes(self) -> int:
        """The most boxes returned for an image."""
        return self.box_detections_per_img

    @model_validator(mode="after")
    def _sizes_are_ordered(self) -> "DetectionSettings":
        if self.min_size > self.max_size:
            raise ValueError(f"min_size {self.min_size} is larger than max_size {self.max_size}")
        return self


class _MaskSettings(ModelSettings):
    """What all networks that predict masks share."""

    per_request: ClassVar[tuple[str, ...]] = (
        "mask_pixel_score_threshold",
        "max_number_of_polygon_points",
        "export_as_image",
        "image_type",
    )

    mask_pixel_score_threshold: Fraction = Field(
        0.5, description="Pixels whose mask probability is above this belong to the instance."
    )
    max_number_of_polygon_points: Annotated[int, Field(ge=3, le=100000)] = Field(
        100, description="Contours with more points than this are simplified."
    )
    export_as_image: bool = Field(False, description="Also return each instance's mask as an image.")
    image_type: Literal["JPG", "PNG", "BMP"] = Field("JPG", description="The file format of those mask images.")


class SegmentationSettings(_MaskSettings, DetectionSettings):
    """Mask R-CNN."""

    per_request: ClassVar[tuple[str, ...]] = (*DetectionSettings.per_request, *_MaskSettings.per_request)


class YoloSettings(_BoxSettings):
    """yolov5."""

    sizes: ClassVar[tuple[str, ...]] = ("img_size",)

    box_score_thresh: Fraction = Field(0.1, description="Only boxes with a score above this are returned.")
    img_size: Annotated[int, Field(ge=_CELL, le=8192), AfterValidator(_whole_cells)] = Field(
        640,
        description="The side, in pixels, of the square that an image is fitted into.",
        json_schema_extra={"expectation": f"a multiple of {_CELL} from {_CELL} to 8192"},
    )
    exif: bool = Field(True, description="Turn an image by its EXIF orientation; boxes are those of the turned image.")
    model_size: Literal["small", "medium", "large", "xlarge", "extra_large"] = Field(
        "medium", description="The size of the network; it must match the weights."
    )

    @property
    def most_boxes(self) -> int:
        """The most boxes returned for an image, which is not a setting of this network."""
        return 300


class QueryDetectionSettings(_BoxSettings):
    """Detectors of transformers. The size of their input is in preprocessor_config.json."""

    per_request: ClassVar[tuple[str, ...]] = (*_BoxSettings.per_request, "box_detections_per_img")

    box_score_thresh: Fraction = Field(0.5, description="Only boxes with a score above this are returned.")
    nms_iou_thresh: Fraction = Field(
        1.0,
        validation_alias=AliasChoices("nms_iou_thresh", "box_nms_thresh", "box_iou_thresh"),
        description="Of two boxes of one label that overlap by more than this IoU, the lower score is dropped; "
        "1 keeps all.",
    )
    exif: bool = Field(True, description="Turn an image by its EXIF orientation; boxes are those of the turned image.")
    box_detections_per_img: Annotated[int, Field(ge=1, le=10000)] = Field(
        100, description="The most boxes returned for an image, and for each of its tiles."
    )

    @property
    def most_boxes(self) -> int:
        """The most boxes returned for an image."""
        return self.box_detections_per_img


class QuerySegmentationSettings(_MaskSettings, QueryDetectionSettings):
    """MaskFormer and Mask2Former of transformers."""

    per_request: ClassVar[tuple[str, ...]] = (*QueryDetectionSettings.per_request, *_MaskSettings.per_request)


SCHEMAS: tuple[type[ModelSettings], ...] = (
    ClassificationSettings,
    DetectionSettings,
    SegmentationSettings,
    YoloSettings,
    QueryDetectionSettings,
    QuerySegmentationSettings,
)
