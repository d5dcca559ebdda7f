"""The hyperparameters of networks that label whole images."""

from typing import Annotated

from pydantic import AliasChoices, Field, model_validator

from training.hyperparameters.general import OURS, Hyperparameters
from training.hyperparameters.kinds import WHOLE, Positive, Share, Side, Switch


class ClassificationHyperparameters(Hyperparameters):
    """For multiclass and multilabel; the defaults are those of resnets and multiclass."""

    training_batch_size: Positive = Field(78, description="Images in a step of training, for each device.")
    validation_batch_size: Positive = Field(78, description="Images that are scored at once in an evaluation.")
    learning_rate: Share = Field(0.01, description="The highest learning rate, multiplied by the number of devices.")
    weighted_loss: Annotated[int, Field(ge=0, le=2), WHOLE] = Field(
        0,
        description="How rare labels weigh more, where the most frequent has over twice the images of the rarest: "
        "0 not at all, 1 by the square root of the inverse frequency, 2 by the inverse frequency.",
    )
    train_crop_size: Side = Field(
        224,
        validation_alias=AliasChoices("train_crop_size", "training_crop_size"),
        description="The side, in pixels, of the random crops that train.",
    )
    valid_crop_size: Side = Field(
        224,
        validation_alias=AliasChoices("valid_crop_size", "validation_crop_size"),
        description="The side, in pixels, of the centre crop that is scored.",
    )
    valid_resize_size: Side = Field(
        256,
        validation_alias=AliasChoices("valid_resize_size", "validation_resize_size"),
        description="The shorter side, in pixels, that an image is resized to before that crop.",
    )
    augmentation_strength: Share = Field(
        1.0,
        description="How much training changes images at random: 1 as hosted, 0 is resize and centre crop alone.",
        json_schema_extra=dict(OURS),
    )
    progressive_sizes: Switch = Field(
        False,
        description="Whether training begins with smaller images and ends with the full size.",
        json_schema_extra=dict(OURS),
    )

    @model_validator(mode="after")
    def _crop_fits(self) -> "ClassificationHyperparameters":
        if self.valid_crop_size > self.valid_resize_size:
            raise ValueError(
                f"valid_crop_size {self.valid_crop_size} is larger than valid_resize_size {self.valid_resize_size}"
            )
        return self
