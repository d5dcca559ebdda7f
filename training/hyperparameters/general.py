"""Hyperparameters: what every training may be told, whatever the network is.

Names and defaults are those of AutoML for Images. Fields marked with OURS are not known there.
"""

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from training.hyperparameters.kinds import LOWER_CASE, NUMBER, WHOLE, Count, Positive, Share, ShareBelowOne, Switch

OURS = MappingProxyType({"ours": True})


class Hyperparameters(BaseModel):
    """Strictly typed, but numbers and switches may be texts, and whole numbers written as 4.0."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())

    number_of_epochs: Positive = Field(15, description="How often training sees all images.")
    training_batch_size: Positive = Field(description="Images in a step of training, for each device.")
    validation_batch_size: Positive = Field(description="Images that are scored at once in an evaluation.")
    grad_accumulation_step: Positive = Field(
        1,
        validation_alias=AliasChoices("grad_accumulation_step", "gradient_accumulation_step"),
        description="Batches whose gradients are summed before the weights change.",
    )
    learning_rate: Share = Field(description="The highest learning rate, multiplied by the number of devices.")
    lr_scheduler: Annotated[Literal["warmup_cosine", "step"], LOWER_CASE] = Field(
        "warmup_cosine",
        validation_alias=AliasChoices("lr_scheduler", "learning_rate_scheduler"),
        description="warmup_cosine: a linear rise, then a cosine; step: lower by a factor after some epochs.",
    )
    warmup_cosine_lr_warmup_epochs: Count = Field(2, description="Epochs in which the learning rate rises.")
    warmup_cosine_lr_cycles: Share = Field(
        0.45, description="The part of a cosine's cycle after that: 0.5 ends at 0, more rises again."
    )
    step_lr_step_size: Positive = Field(5, description="Epochs between two steps of the learning rate.")
    step_lr_gamma: Share = Field(0.5, description="The factor of such a step.")
    optimizer: Annotated[Literal["sgd", "adam", "adamw"], LOWER_CASE] = Field(
        "sgd", description="How gradients change weights."
    )
    momentum: Share = Field(0.9, description="The momentum of sgd.")
    nesterov: Switch = Field(True, description="Whether sgd looks ahead, as Nesterov proposed.")
    weight_decay: Share = Field(1e-4, description="The decay of weights; those of batch norms and biases have none.")
    beta1: ShareBelowOne = Field(0.9, description="The decay of the mean of gradients of adam and adamw.")
    beta2: ShareBelowOne = Field(0.999, description="The decay of the mean of their squares.")
    amsgrad: Switch = Field(
        False,
        validation_alias=AliasChoices("amsgrad", "ams_gradient"),
        description="Whether adam and adamw divide by the largest of those means so far.",
    )
    grad_clip_type: Annotated[Literal["value", "norm"], LOWER_CASE] = Field(
        "value", description="value: each part of a gradient is cut at 5; norm: all of it is shortened to length 1."
    )
    early_stopping: Switch = Field(True, description="Whether training ends when the primary metric no longer rises.")
    early_stopping_patience: Positive = Field(5, description="Evaluations without a rise after which it ends.")
    early_stopping_delay: Count = Field(5, description="Epochs before such evaluations are counted.")
    evaluation_frequency: Positive = Field(1, description="Epochs between two evaluations; the last is always one.")
    checkpoint_frequency: Positive = Field(
        1, description="Epochs between two writings of last/, from which an interrupted run goes on."
    )
    layers_to_freeze: Count | None = Field(
        None, description="How many of the network's first groups of layers are not trained."
    )
    validation_size: Annotated[float, Field(ge=0.01, lt=1.0), NUMBER] = Field(
        0.2,
        validation_alias=AliasChoices("validation_size", "validation_data_size", "split_ratio"),
        description="The share of the images that evaluate, where no validation data is given.",
    )
    checkpoint_run_id: str | None = Field(None, description="A finished run, by name or folder, to start from.")
    checkpoint_dataset_id: str | None = Field(
        None, description="A folder with weights to start from; goes with checkpoint_filename."
    )
    checkpoint_filename: str | None = Field(None, description="The file of weights in it.")
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Where to train; auto takes GPUs where there are any.",
        json_schema_extra={"expectation": "auto, cpu, cuda or cuda:N"},
    )
    distributed: Switch = Field(True, description="Whether all GPUs of the machine train, where there are several.")
    deterministic: Switch = Field(
        False, description="Whether a GPU computes the same again, at lower speed; a CPU always does."
    )
    seed: Annotated[int, Field(ge=0, le=2**32 - 1), WHOLE] = Field(
        0,
        validation_alias=AliasChoices("seed", "random_seed"),
        description="What random weights, orders and augmentations follow from.",
    )
    precision: Annotated[Literal["auto", "fp32", "bf16", "fp16"], LOWER_CASE] = Field(
        "auto",
        description="The arithmetic of training; auto takes bf16 where it is faster, which is measured on CPUs.",
        json_schema_extra=dict(OURS),
    )

    @model_validator(mode="after")
    def _names_whole_checkpoint(self) -> "Hyperparameters":
        if (self.checkpoint_dataset_id is None) != (self.checkpoint_filename is None):
            raise ValueError("checkpoint_dataset_id and checkpoint_filename go together; give both or neither")
        if self.checkpoint_run_id is not None and self.checkpoint_filename is not None:
            raise ValueError("checkpoint_run_id and checkpoint_filename are both given; keep one of them")
        return self
