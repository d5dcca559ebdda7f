import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from settings.errors import SettingsError
from tests.support.repository import ROOT
from training.job import TrainingJob, read_job
from training.job_files.primary_metrics import PRIMARY_METRICS
from training.metrics.classification import evaluate_multiclass, evaluate_multilabel

HOSTED = """\
$schema: https://azuremlsdk2.blob.core.windows.net/preview/0.0.1/autoMLJob.schema.json
type: automl
name: fridge-1
experiment_name: fridge
compute: azureml:gpu-cluster
tags: {team: kitchen}
task: image_object_detection
primary_metric: mean_average_precision
target_column_name: labels
log_verbosity: debug
training_data:
  path: data/training-mltable-folder
  type: mltable
validation_data:
  path: data/valid.jsonl
  type: mltable
limits:
  timeout_minutes: 60
  max_trials: 1
  max_concurrent_trials: 1
training_parameters:
  model_name: fasterrcnn_resnet18_fpn
  learning_rate: 1e-3
  early_stopping: "yes"
  number_of_epochs: 2
"""
PLAIN = "task: image_classification\ntraining_data: train.jsonl\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "training-mltable-folder").mkdir(parents=True)
    (tmp_path / "data" / "valid.jsonl").touch()
    (tmp_path / "train.jsonl").touch()
    return tmp_path


def job(folder: Path, text: str, name: str = "job.yml") -> TrainingJob:
    (folder / name).write_text(text)
    return read_job(folder / name)


def refusal(folder: Path, text: str, name: str = "job.yml") -> str:
    with pytest.raises(SettingsError) as caught:
        job(folder, text, name)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_job_of_the_hosted_command_line_is_read(folder: Path) -> None:
    read = job(folder, HOSTED)
    assert (read.name, read.task, read.model_name) == ("fridge-1", "detection", "fasterrcnn_resnet18_fpn")
    assert read.training_data == folder / "data" / "training-mltable-folder"
    assert read.validation_data == folder / "data" / "valid.jsonl"
    assert (read.target_column, read.primary_metric, read.timeout_minutes) == ("labels", "mean_average_precision", 60)
    values = read.hyperparameters
    assert (values.learning_rate, values.early_stopping, values.number_of_epochs) == (0.001, True, 2)
    assert read.notes == ()


def test_where_nothing_is_measured_the_last_epoch_is_kept_and_said_to_be(folder: Path) -> None:
    (note,) = job(folder, HOSTED + "  validation_metric_type: none\n").notes
    assert "validation_metric_type' is none, so no mean_average_precision is computed, and the last epoch" in note


def test_a_short_job_has_defaults(folder: Path) -> None:
    read = job(folder, PLAIN, "fridge labels.yml")
    assert (read.name, read.task, read.model_name) == ("fridge-labels", "multiclass", "vitb16r224")
    assert (read.target_column, read.validation_data, read.primary_metric) == ("label", None, "accuracy")
    assert read.hyperparameters.validation_size == 0.2


@pytest.mark.parametrize(
    ("written", "task"),
    [
        ("image_classification", "multiclass"),
        ("image-classification", "multiclass"),
        ("image_classification_multilabel", "multilabel"),
        ("image-object-detection", "detection"),
        ("ImageObjectDetection", "detection"),
        ("image_instance_segmentation", "segmentation"),
        ("segmentation", "segmentation"),
    ],
)
def test_a_task_is_written_in_many_ways(folder: Path, written: str, task: str) -> None:
    assert job(folder, PLAIN.replace("image_classification", written)).task == task


@pytest.mark.parametrize(
    ("task", "written", "metric"),
    [
        ("image_classification", "AUC_weighted", "AUC_weighted"),
        ("image_classification", "AUCWeighted", "AUC_weighted"),
        ("image_classification_multilabel", "IOU", "iou"),
        ("image_object_detection", "MeanAveragePrecision", "mean_average_precision"),
        ("image_object_detection", "coco_ap50", "coco_ap50"),
        ("image_instance_segmentation", "coco_box_ap", "coco_box_ap"),
    ],
)
def test_the_best_epoch_may_be_that_of_any_metric_that_rises(
    folder: Path, task: str, written: str, metric: str
) -> None:
    text = PLAIN.replace("image_classification", task) + f"primary_metric: {written}\n"
    assert job(folder, text).primary_metric == metric


def test_metrics_that_jobs_may_name_are_written_by_evaluations() -> None:
    random = np.random.default_rng(0)
    scores, truth = random.random((9, 3)), random.random((9, 3)) > 0.5
    written = evaluate_multiclass(scores / scores.sum(1, keepdims=True), np.arange(9) % 3, "abc").metrics
    assert set(PRIMARY_METRICS["multiclass"]) == written.keys() - {"log_loss"}
    assert set(PRIMARY_METRICS["multilabel"]) == evaluate_multilabel(scores, truth, "abc").metrics.keys() - {"log_loss"}


def test_a_job_of_the_sdk_is_read(folder: Path) -> None:
    details: dict[str, Any] = {
        "taskType": "ImageClassificationMultilabel",
        "primaryMetric": "Iou",
        "targetColumnName": "label",
        "trainingData": {"jobInputType": "mltable", "uri": "train.jsonl", "mode": "ReadOnlyMount"},
        "validationDataSize": 0.3,
        "limitSettings": {"maxTrials": 1, "maxConcurrentTrials": 1, "timeout": "PT1H30M"},
        "modelSettings": {
            "modelName": "resnet18",
            "learningRateScheduler": "WarmupCosine",
            "stepLRStepSize": 3,
            "amsGradient": True,
            "trainingCropSize": 96,
        },
    }
    content = {"id": "/x", "properties": {"jobType": "AutoML", "tags": {"aB": "c"}, "taskDetails": details}}
    read = job(folder, json.dumps(content), "job.json")
    values: Any = read.hyperparameters
    assert (read.task, read.model_name, read.primary_metric) == ("multilabel", "resnet18", "iou")
    assert (values.lr_scheduler, values.step_lr_step_size, values.amsgrad) == ("warmup_cosine", 3, True)
    assert (values.train_crop_size, values.validation_size, read.timeout_minutes) == (96, 0.3, 90)


def test_the_same_in_json_reads_the_same(folder: Path) -> None:
    content = {
        "task": "image_classification",
        "training_data": {"path": "train.jsonl"},
        "image_model": {"name": "resnet18"},
    }
    read = job(folder, json.dumps(content), "job.json")
    assert read.hyperparameters == job(folder, PLAIN + "training_parameters: {model_name: resnet18}").hyperparameters


@pytest.mark.parametrize(
    "space",
    [
        "search_space:\n  - model_name: {type: choice, values: [resnet18]}\n    learning_rate: 0.02\n",
        "search_space:\n  model_name: choice('resnet18')\n  learning_rate: {type: choice, values: ['0.02']}\n",
        "search_space:\n  model: {model_name: resnet18, learning_rate: 0.02}\n",
        "search_space:\n  model: choice\n".replace(
            "choice", "{type: choice, values: [{model_name: [resnet18], learning_rate: 0.02}]}"
        ),
        "search_space:\n  - model_name: [resnet18]\n    learning_rate: [0.02]\nsweep: {sampling_algorithm: random}\n",
    ],
)
def test_a_search_space_of_single_values_is_a_plain_job(folder: Path, space: str) -> None:
    read = job(folder, PLAIN + space)
    assert (read.model_name, read.hyperparameters.learning_rate) == ("resnet18", 0.02)
    assert len(read.notes) == ("sweep" in space)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("search_space:\n  - learning_rate: uniform(0.1, 0.2)\n", "job.yml, line 4, search_space[0].learning_rate is"),
        ("search_space:\n  - learning_rate: {type: uniform, min_value: 0.1, max_value: 1}\n", "a range to search"),
        ("search_space:\n  - model_name: choice(resnet18, resnet34)\n", "a range to search"),
        ("search_space:\n  - model_name: resnet18\n  - model_name: resnet34\n", "search_space: there are 2 spaces"),
        ("search_space: 4\n", "line 3, search_space is 4; expected names of hyperparameters"),
    ],
)
def test_a_search_is_refused(folder: Path, space: str, said: str) -> None:
    assert said in refusal(folder, PLAIN + space)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            PLAIN + "traning_parameters: {}\n",
            "line 3, traning_parameters: the key 'traning_parameters' is not known. Did",
        ),
        (
            PLAIN + "limits:\n  max_trial: 2\n",
            "line 4, limits.max_trial: the key 'max_trial' is not known",
        ),
        (PLAIN + "limits:\n  max_trials: 0\n", "limits.max_trials is 0; expected a whole number from 1 to 1000."),
        (PLAIN + "limits: 3\n", "line 3, limits is 3; expected an object such as {timeout_minutes: 60}."),
        (PLAIN + "name: ../x\n", "line 3, name is '../x'; expected letters, digits"),
        (
            PLAIN + "primary_metric: acuracy\n",
            "line 3, primary_metric is 'acuracy'; expected one of acc",
        ),
        (PLAIN + "primary_metric: log_loss\n", "primary_metric is 'log_loss'; expected one of"),
        (PLAIN + "type: command\n", "line 3, type is 'command'; expected automl."),
        (
            PLAIN + "validation_data: {folder: x}\n",
            "line 3, validation_data: the key 'path' is missing; expected a",
        ),
        (PLAIN + "target_column_name: 4\n", "target_column_name is 4; expected a text."),
        ("training_data: train.jsonl\n", "job.yml: the key 'task' is missing; expected one of image_classification,"),
        ("task: image_classification\n", "job.yml: the key 'training_data' is missing; expected a path, or an object"),
        ("task: image_clasification\ntraining_data: train.jsonl\n", "Did you mean 'image_classification'"),
        (
            PLAIN.replace("train.jsonl", "nowhere.jsonl"),
            "line 2, training_data is 'nowhere.jsonl', but nowhere",
        ),
        (PLAIN.replace("train.jsonl", "azureml:fridge:3"), "roots: {fridge: FOLDER}"),
        (PLAIN.replace("train.jsonl", "https://x/train.jsonl"), "not on this machine. Download the file"),
        (
            PLAIN + "training_parameters:\n  learning_rat: 1\n",
            "line 4, training_parameters.learning_rat: the hyper",
        ),
        (
            PLAIN + "training_parameters:\n  min_size: 1\n",
            "belongs to Faster R-CNN, RetinaNet and Mask R-CNN, not",
        ),
        (
            PLAIN + "training_parameters:\n  learning_rate: 3\n",
            "line 4, training_parameters.learning_rate: 'lear",
        ),
        (
            PLAIN + "training_parameters:\n  seed: 1\n  seed: 2\n",
            "job.yml, line 5: this is no YAML (the key 'seed'",
        ),
        (PLAIN + "validation_data_size: 0.1\nimage_model: {validation_data_size: 0.2}\n", "Keep one of the two"),
        (PLAIN + "validation_data_size: 2\n", "line 3, validation_data_size: 'validation_data_size' is 2; "),
        (PLAIN + "limits: [\n", "job.yml, line 4: this is no YAML"),
        ("", "holds None; expected keys"),
        ("!!python/object/apply:os.system ['true']\n", "job.yml, line 1: this is no YAML"),
        ("a: &a [*a]\n", "job.yml, line 1: this is no YAML (a value holds itself)"),
        (PLAIN.replace("train.jsonl", "''"), "training_data.path is ''; expected a path."),
        (PLAIN.replace("train.jsonl", "x" * 5000), "does not exist. Paths start at the job file."),
        (PLAIN + "image_model: {name: " + "x" * 5000 + "}\n", "image_model.model_name: the model 'xxx"),
        (PLAIN + "limits: {1: 2}\n", "limits[1]: the key '1' is not known"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(folder: Path, text: str, said: str) -> None:
    message = refusal(folder, text)
    assert message.startswith("job.yml")
    assert said in message


def test_a_missing_job_file_is_said(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yml cannot be read: No such file"):
        read_job(folder / "nowhere.yml")


@pytest.mark.parametrize(
    "reference",
    [
        "azureml://datastores/kitchen/paths/valid.jsonl",
        "azureml://subscriptions/s/resourcegroups/r/workspaces/w/datastores/kitchen/paths/valid.jsonl",
        "AmlDatastore://kitchen/valid.jsonl",
        "data/valid.jsonl",
    ],
)
def test_data_of_the_hosted_service_lies_under_a_root(folder: Path, reference: str) -> None:
    text = PLAIN.replace("train.jsonl", reference) + "roots: {kitchen: data}\n"
    assert job(folder, text).training_data == folder / "data" / "valid.jsonl"


def test_a_data_asset_is_the_folder_of_its_name(folder: Path) -> None:
    text = PLAIN.replace("train.jsonl", "azureml:fridge@latest") + "roots: {fridge: data/training-mltable-folder}\n"
    assert job(folder, text).training_data == folder / "data" / "training-mltable-folder"


def test_what_changes_nothing_is_noted(folder: Path) -> None:
    text = PLAIN + "limits: {max_trials: 5}\ntraining_parameters: {num_workers: 4}\n"
    notes = [note.replace(f"{folder}/", "") for note in job(folder, text).notes]
    assert notes[0].startswith("job.yml, line 4, training_parameters.num_workers: 'num_workers' changes nothing")
    assert notes[1].startswith("job.yml, line 3, limits.max_trials is 5: one model is trained")


def test_the_jobs_of_the_documentation_are_read(folder: Path) -> None:
    (blocks,) = re.findall(r"```yaml\n(.+?)```", (ROOT / "docs/training.md").read_text(), re.DOTALL)
    (folder / "training-mltable-folder").mkdir()
    for name in ("valid.jsonl", "instances.json"):
        (folder / name).touch()
    jobs = [job(folder, text) for text in blocks.split("---\n")]
    assert [each.task for each in jobs] == ["multiclass", "multilabel", "detection", "segmentation"]
    assert len({each.name for each in jobs}) == len(jobs)
