from typing import Any

import pytest

from models.folder.manifest import TaskName
from settings.errors import SettingsError
from training.hyperparameters.frozen_layers import frozen_prefixes
from training.hyperparameters.resolution import model_names, resolve, unused

SOURCE = "job.yml: training_parameters"


def resolved(model_name: str, given: dict[str, Any] | None = None, task: TaskName = "multiclass") -> Any:
    return resolve(model_name, task, given or {}, SOURCE)[1]


def refusal(model_name: str, given: dict[str, Any], task: TaskName = "multiclass") -> str:
    with pytest.raises(SettingsError) as caught:
        resolve(model_name, task, given, SOURCE)
    return str(caught.value)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("multiclass", "vitb16r224"),
        ("multilabel", "vitb16r224"),
        ("detection", "yolov5"),
        ("segmentation", "maskrcnn_resnet50_fpn"),
    ],
)
def test_each_task_has_a_default_model(task: TaskName, name: str) -> None:
    assert resolve(None, task, {}, SOURCE)[0] == name
    assert name in model_names(task)


@pytest.mark.parametrize(
    ("name", "task", "epochs", "batches", "rate"),
    [
        ("resnet18", "multiclass", 15, (78, 78), 0.01),
        ("resnet18", "multilabel", 15, (78, 78), 0.035),
        ("torchvision/resnet18", "multilabel", 15, (78, 78), 0.035),
        ("vits16r224", "multiclass", 15, (128, 128), 0.0125),
        ("vitb16r224", "multiclass", 15, (48, 48), 0.0125),
        ("vitl16r224", "multiclass", 15, (10, 10), 0.001),
        ("vits16r224", "multilabel", 15, (128, 128), 0.025),
        ("vitl16r224", "multilabel", 15, (10, 10), 0.002),
        ("fasterrcnn_resnet50_fpn", "detection", 15, (2, 1), 0.005),
        ("retinanet_resnet50_fpn", "detection", 15, (2, 1), 0.005),
        ("maskrcnn_resnet18_fpn", "segmentation", 15, (2, 1), 0.005),
        ("yolov5", "detection", 30, (16, 16), 0.01),
    ],
)
def test_defaults_are_those_of_the_hosted_documentation(
    name: str, task: TaskName, epochs: int, batches: tuple[int, int], rate: float
) -> None:
    values = resolved(name, task=task)
    assert (values.number_of_epochs, values.learning_rate) == (epochs, rate)
    assert (values.training_batch_size, values.validation_batch_size) == batches
    assert values.grad_clip_type == ("norm" if name.startswith("vit") else "value")
    assert values.layers_to_freeze == (2 if "rcnn" in name or "retinanet" in name else None)
    assert (values.optimizer, values.momentum, values.nesterov, values.weight_decay) == ("sgd", 0.9, True, 1e-4)


def test_sizes_of_a_network_of_timm_are_those_of_the_library() -> None:
    values = resolved("timm/vit_tiny_patch16_384")
    assert (values.valid_resize_size, values.valid_crop_size, values.train_crop_size) == (384, 384, 384)


@pytest.mark.parametrize(
    ("model", "task", "old", "new", "value"),
    [
        ("resnet18", "multiclass", "validation_resize_size", "valid_resize_size", 300),
        ("resnet18", "multiclass", "validation_crop_size", "valid_crop_size", 200),
        ("resnet18", "multiclass", "training_crop_size", "train_crop_size", 200),
        ("resnet18", "multiclass", "learning_rate_scheduler", "lr_scheduler", "step"),
        ("resnet18", "multiclass", "gradient_accumulation_step", "grad_accumulation_step", 3),
        ("resnet18", "multiclass", "ams_gradient", "amsgrad", True),
        ("resnet18", "multiclass", "validation_data_size", "validation_size", 0.3),
        ("resnet18", "multiclass", "split_ratio", "validation_size", 0.3),
        ("yolov5", "detection", "image_size", "img_size", 320),
        ("yolov5", "detection", "box_score_threshold", "box_score_thresh", 0.2),
        ("yolov5", "detection", "nms_iou_threshold", "nms_iou_thresh", 0.2),
        ("yolov5", "detection", "box_iou_thresh", "nms_iou_thresh", 0.2),
        ("yolov5", "detection", "tile_predictions_nms_threshold", "tile_predictions_nms_thresh", 0.2),
        ("retinanet_resnet50_fpn", "detection", "box_detections_per_image", "box_detections_per_img", 7),
    ],
)
def test_both_names_of_a_parameter_are_known(model: str, task: TaskName, old: str, new: str, value: Any) -> None:
    assert getattr(resolved(model, {old: value}, task), new) == value
    assert getattr(resolved(model, {new: value}, task), new) == value


def test_numbers_and_switches_may_be_texts() -> None:
    given = {"number_of_epochs": "4", "training_batch_size": 8.0, "learning_rate": "1e-3", "layers_to_freeze": "2"}
    values = resolved("resnet18", given | {"nesterov": "Off", "early_stopping": "n", "amsgrad": 1})
    assert (values.number_of_epochs, values.training_batch_size, values.learning_rate) == (4, 8, 1e-3)
    assert (values.nesterov, values.early_stopping, values.amsgrad, values.layers_to_freeze) == (False, False, True, 2)


@pytest.mark.parametrize("word", ["y", "Yes", "T", "true", "ON", "1", True, 1])
def test_every_word_for_yes_is_one(word: Any) -> None:
    assert resolved("resnet18", {"amsgrad": word}).amsgrad is True


def test_choices_are_also_written_with_capitals() -> None:
    values = resolved("yolov5", {"optimizer": "AdamW", "lr_scheduler": "WarmupCosine"}, "detection")
    assert (values.optimizer, values.lr_scheduler) == ("adamw", "warmup_cosine")
    assert resolved("yolov5", {"model_size": "ExtraLarge"}, "detection").model_size == "extra_large"


def test_null_is_not_decided() -> None:
    assert resolved("resnet18", {"learning_rate": None}) == resolved("resnet18")


@pytest.mark.parametrize(
    ("model", "task", "given", "said"),
    [
        ("resnet18", "multiclass", {"learning_rat": 1}, "Did you mean 'learning_rate'"),
        (
            "resnet18",
            "multiclass",
            {"min_size": 1},
            "belongs to Faster R-CNN, RetinaNet and Mask R-CNN, not",
        ),
        ("yolov5", "detection", {"weighted_loss": 1}, "belongs to classifiers, not to yolov5"),
        (
            "retinanet_resnet50_fpn",
            "detection",
            {"regions_per_image": 48},
            "belongs to Faster R-CNN and Mask R-CNN, not to retinanet_resnet50_fpn",
        ),
        ("maskrcnn_resnet18_fpn", "segmentation", {"tile_grid_size": "3x2"}, "belongs to Faster R-CNN"),
        ("resnet18", "multiclass", {"learning_rate": 3}, "'learning_rate' is 3; expected a number from 0 to 1."),
        ("resnet18", "multiclass", {"learning_rate": "nan"}, "'learning_rate' is 'nan'; expected a number from 0 to 1"),
        ("resnet18", "multiclass", {"number_of_epochs": 2.5}, "expected a whole number of at least 1"),
        ("resnet18", "multiclass", {"number_of_epochs": True}, "expected a whole number of at least 1"),
        ("resnet18", "multiclass", {"weighted_loss": 3}, "expected a whole number from 0 to 2"),
        ("resnet18", "multiclass", {"amsgrad": "maybe"}, "expected true or false"),
        ("resnet18", "multiclass", {"optimizer": "lamb"}, "expected one of sgd, adam, adamw"),
        ("resnet18", "multiclass", {"layers_to_freeze": 6}, "expected a whole number from 0 to 5, for resnet18"),
        ("torchvision/resnet18", "multiclass", {"layers_to_freeze": 1}, "not known by name"),
        ("resnet18", "multiclass", {"validation_crop_size": 9, "valid_crop_size": 8}, "Keep one of the two"),
        ("resnet18", "multiclass", {"checkpoint_filename": "a"}, "give both or neither"),
        ("seresnext", "multiclass", {"train_crop_size": 96}, "'train_crop_size' is 96, but seresnext always uses 224"),
        ("vits16r224", "multiclass", {"valid_crop_size": 128}, "Set both to the same"),
        ("resnet18", "multiclass", {"valid_crop_size": 300}, "larger than valid_resize_size 256"),
        ("yolov5", "detection", {"img_size": 600}, "the next multiple is 608"),
        ("resnet18", "multiclass", {"advanced_settings": "{bad"}, "which is no JSON"),
        ("resnet18", "multiclass", {"advanced_settings": "[1]"}, "expected an object"),
        ("yolov5", "detection", {"advanced_settings": {"apply_mosaic": False}}, "Did you mean 'apply_mosaic_for_yolo'"),
        ("resnet18", "multiclass", {"advanced_settings": '{"apply_mosaic_for_yolo": 0}'}, "belongs to yolov5"),
    ],
)
def test_what_does_not_fit_is_refused(model: str, task: TaskName, given: dict[str, Any], said: str) -> None:
    message = refusal(model, given, task)
    assert message.startswith(f"{SOURCE}: ")
    assert said in message


def test_advanced_settings_become_fields() -> None:
    text = '{"apply_mosaic_for_yolo": false, "apply_automl_train_augmentations": "no", "stream_image_files": true}'
    values = resolved("yolov5", {"advanced_settings": text}, "detection")
    assert (values.apply_mosaic_for_yolo, values.apply_automl_train_augmentations) == (False, False)
    assert len(unused({"advanced_settings": text, "num_workers": 4}, SOURCE)) == 2


def test_a_model_is_for_its_task() -> None:
    with pytest.raises(SettingsError, match=r"'yolov5' is not trained for the task multiclass\. Models for it: mob"):
        resolve("yolov5", "multiclass", {}, SOURCE)
    with pytest.raises(SettingsError, match="Did you mean 'yolov5'"):
        resolve("yolov6", "detection", {}, SOURCE)


def test_the_first_layers_are_frozen() -> None:
    assert frozen_prefixes("resnet18", 2) == ("conv1.", "bn1.", "layer1.")
    assert frozen_prefixes("vitl16r224", 13)[-1] == "blocks.11."
    assert frozen_prefixes("resnet18", None) == ()
