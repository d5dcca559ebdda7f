"""The hyperparameters of networks that find objects, but for yolov5."""

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, model_validator

from settings.model import TileGrid
from training.hyperparameters.general import OURS, Hyperparameters
from training.hyperparameters.kinds import (
    LOWER_CASE,
    NUMBER,
    WHOLE,
    Count,
    Positive,
    Share,
    ShareBelowOne,
    Side,
    Switch,
)


class BoxHyperparameters(Hyperparameters):
    """What all networks that find objects share."""

    box_score_thresh: Share = Field(
        0.3,
        validation_alias=AliasChoices("box_score_thresh", "box_score_threshold"),
        description="Only boxes with a score above this count in the hosted metrics and are returned in scoring.",
    )
    nms_iou_thresh: Share = Field(
        0.5,
        validation_alias=AliasChoices("nms_iou_thresh", "nms_iou_threshold", "box_nms_thresh", "box_iou_thresh"),
        description="Of two boxes of one label that overlap by more than this IoU, the lower score is dropped.",
    )
    validation_metric_type: Annotated[Literal["none", "coco", "voc", "coco_voc"], LOWER_CASE] = Field(
        "voc", description="Which metrics decide which epoch is the best; with none the last is."
    )
    validation_iou_threshold: Annotated[float, Field(ge=0.1, le=1.0), NUMBER] = Field(
        0.5, description="The IoU from which a box counts as found."
    )
    apply_automl_train_augmentations: Switch = Field(
        True, description="Whether training changes images at random, apart from mosaics; in advanced_settings."
    )
    exif: Switch = Field(
        False,
        description="Whether images are turned by their EXIF orientation, in training and in scoring.",
        json_schema_extra=dict(OURS),
    )


class TilingHyperparameters(BoxHyperparameters):
    """What networks share that can look at an image in tiles."""

    tile_grid_size: TileGrid | None = Field(
        None, description="Tiles along the width and along the height, such as 3x2, which train as further images."
    )
    tile_overlap_ratio: ShareBelowOne = Field(0.25, description="The share of a tile that the next tile overlaps.")
    tile_predictions_nms_thresh: Share = Field(
        0.25,
        validation_alias=AliasChoices("tile_predictions_nms_thresh", "tile_predictions_nms_threshold"),
        description="IoU above which a box of one tile suppresses the same label's box of another tile.",
    )


class TorchvisionHyperparameters(BoxHyperparameters):
    """What the detectors of torchvision share."""

    training_batch_size: Positive = Field(2, description="Images in a step of training, for each device.")
    validation_batch_size: Positive = Field(1, description="Images that are scored at once in an evaluation.")
    learning_rate: Share = Field(0.005, description="The highest learning rate, multiplied by the number of devices.")
    layers_to_freeze: Count | None = Field(
        2, description="How many of the network's first groups of layers are not trained."
    )
    min_size: Side = Field(600, description="The shorter side, in pixels, that an image is resized to.")
    max_size: Side = Field(1333, description="The bound, in pixels, on the longer side after that resize.")
    box_detections_per_img: Annotated[int, Field(ge=1, le=10000), WHOLE] = Field(
        100,
        validation_alias=AliasChoices("box_detections_per_img", "box_detections_per_image"),
        description="The most boxes found in an image.",
    )
    progressive_sizes: Switch = Field(
        False, description="Whether training starts at smaller images, which is quicker.", json_schema_extra=dict(OURS)
    )
    learn_batch_norms: Switch = Field(
        False,
        description="Whether batch norms learn where training starts from weights; without weights they do.",
        json_schema_extra=dict(OURS),
    )

    @model_validator(mode="after")
    def _sizes_are_ordered(self) -> "TorchvisionHyperparameters":
        if self.min_size > self.max_size:
            raise ValueError(f"min_size {self.min_size} is larger than max_size {self.max_size}")
        return self


class RetinaNetHyperparameters(TorchvisionHyperparameters, TilingHyperparameters):
    """RetinaNet."""


class RegionHyperparameters(TorchvisionHyperparameters):
    """What Faster R-CNN and Mask R-CNN share, whose heads look at regions."""

    regions_per_image: Positive = Field(
        512,
        description="Regions of an image that the heads of an R-CNN learn from in a step; few are quicker.",
        json_schema_extra=dict(OURS),
    )


class DetectionHyperparameters(RegionHyperparameters, TilingHyperparameters):
    """Faster R-CNN."""


class SegmentationHyperparameters(RegionHyperparameters):
    """Mask R-CNN."""

    masks_per_image: Positive = Field(
        128,
        description="Of these regions, those with an object that its mask is learned from, at most.",
        json_schema_extra=dict(OURS),
    )
    mask_pixel_score_threshold: Share = Field(
        0.5, description="Pixels whose mask probability is above this belong to the object."
    )
    max_number_of_polygon_points: Annotated[int, Field(ge=3, le=100000), WHOLE] = Field(
        100, description="In scoring, outlines with more points than this are simplified."
    )
    export_as_image: Switch = Field(False, description="Whether scoring also returns each mask as an image.")
    image_type: Literal["JPG", "PNG", "BMP"] = Field("JPG", description="The file format of those images.")
