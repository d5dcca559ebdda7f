"""The hyperparameters of yolov5."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field

from training.hyperparameters.detection import TilingHyperparameters
from training.hyperparameters.general import OURS
from training.hyperparameters.kinds import LOWER_CASE, WHOLE, Positive, Share, Switch

_CELL = 32  # pixels; the coarsest grid of yolov5


def _whole_cells(value: int) -> int:
    if value % _CELL:
        raise ValueError(f"the next multiple is {-(-value // _CELL) * _CELL}")
    return value


class YoloHyperparameters(TilingHyperparameters):
    """yolov5 in its four sizes."""

    number_of_epochs: Positive = Field(30, description="How often training sees all images.")
    training_batch_size: Positive = Field(16, description="Images in a step of training, for each device.")
    validation_batch_size: Positive = Field(16, description="Images that are scored at once in an evaluation.")
    learning_rate: Share = Field(0.01, description="The highest learning rate, multiplied by the number of devices.")
    box_score_thresh: Share = Field(
        0.1,
        validation_alias=AliasChoices("box_score_thresh", "box_score_threshold"),
        description="Only boxes with a score above this count in the hosted metrics and are returned in scoring.",
    )
    img_size: Annotated[int, Field(ge=_CELL, le=8192), WHOLE, AfterValidator(_whole_cells)] = Field(
        640,
        validation_alias=AliasChoices("img_size", "image_size"),
        description="The side, in pixels, of the square that an image is fitted into.",
        json_schema_extra={"expectation": f"a multiple of {_CELL} from {_CELL} to 8192"},
    )
    model_size: Annotated[Literal["small", "medium", "large", "xlarge", "extra_large"], LOWER_CASE] = Field(
        "medium", description="The size of the network."
    )
    multi_scale: Switch = Field(
        False, description="Whether each batch has a size of its own, from half to one and a half times img_size."
    )
    progressive_sizes: Switch = Field(
        False,
        description="Whether training begins with smaller images and ends with the full size.",
        json_schema_extra=dict(OURS),
    )
    apply_mosaic_for_yolo: Switch = Field(
        True, description="Whether training puts four images together to one; in advanced_settings."
    )
    exif: Switch = Field(
        True,
        description="Whether images are turned by their EXIF orientation, in training and in scoring.",
        json_schema_extra=dict(OURS),
    )
