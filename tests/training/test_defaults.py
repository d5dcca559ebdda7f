import json

import pytest

from training.__main__ import main


def test_defaults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["defaults", "resnet18"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "resnet18 for multiclass"
    found = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert found["learning_rate"][:2] == ["0.01", "hosted"]
    assert found["augmentation_strength"] == ["1.0", "ours", "a", "number", "from", "0", "to", "1"]
    assert found["layers_to_freeze"] == ["none", "hosted", "a", "whole", "number", "from", "0", "to", "5"]


def test_defaults_are_an_object_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["defaults", "--task", "image-classification-multilabel", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model_name"], found["task"]) == ("vitb16r224", "multilabel")
    assert found["hyperparameters"]["learning_rate"]["value"] == 0.025
    assert found["hyperparameters"]["valid_crop_size"]["other_names"] == ["validation_crop_size"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet19"], "Did you mean 'resnet18'"),
        (["yolov5", "--task", "image_classification"], "not trained for the task multiclass"),
        (["yolov5", "--task", "boxes"], "--task is 'boxes'; expected one of image_classification"),
    ],
)
def test_what_is_not_known_is_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["defaults", *arguments]) == 3
    assert said in capsys.readouterr().err
