"""The file of deployments: what it may say, and what is wrong with others."""

import json
from pathlib import Path
from typing import Any

import pytest

from settings.deployments import DeploymentSpec, load_plan, own_settings, read_plan
from settings.errors import SettingsError
from settings.server import ServerSettings

BLUE, GREEN = {"model": "blue"}, {"name": "fridge@2", "settings": {"max_batch_images": 4}}
SCRIPT = {"entry_script": "code/score.py", "model_dir": "/models", "settings": {"workers": 2}}
BOTH = {"deployments": {"blue": BLUE, "green": GREEN}, "traffic": {"blue": 90, "green": 10}}


def test_folders_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "deployments.json"
    deployments = {"blue": BLUE, "green": GREEN, "script": SCRIPT}
    file.write_text(json.dumps({**BOTH, "deployments": deployments, "mirror": {"green": 25.5}}))
    plan = load_plan(file)
    assert plan.deployments["blue"].model == tmp_path / "blue"
    assert plan.deployments["script"].entry_script == tmp_path / "code" / "score.py"
    assert plan.deployments["script"].model_dir == Path("/models")
    assert (plan.deployments["green"].name, plan.traffic, plan.mirror) == ("fridge@2", BOTH["traffic"], {"green": 25.5})


def test_one_deployment_gets_all_traffic() -> None:
    assert read_plan({"deployments": {"blue": BLUE}}, "here").traffic == {"blue": 100}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"deployments": {}}, "here: deployments: Dictionary should have at least 1 item"),
        ({"deployments": {"a/b": BLUE}}, "here: deployments.a/b"),
        ({"deployments": {"blue": {}}}, 'here: deployments.blue: expected either "model", a folder, or "name"'),
        ({"deployments": {"blue": {**BLUE, **GREEN}}}, 'expected either "model", a folder, or "name"'),
        ({"deployments": {"blue": {"modle": "x"}}}, "modle"),
        ({"deployments": {"blue": {**BLUE, **SCRIPT}}}, 'or "entry_script", a script'),
        (
            {"deployments": {"blue": {**BLUE, "app_root": "x"}}},
            '"app_root" goes with "entry_script", and there is none',
        ),
        (
            {"deployments": {"blue": BLUE, "green": GREEN, "s": SCRIPT}, "mirror": {"s": 1}},
            "The deployment 's' is a script, and only models get copies of requests.",
        ),
        ({"traffic": {}}, "here: The percentages of traffic add up to 0; expected 100."),
        ({"traffic": {"blue": 90, "green": 20}}, "add up to 110; expected 100"),
        ({"traffic": {"blue": 110, "green": -10}}, "traffic.blue"),
        ({"traffic": {"bleu": 100}}, "There is no deployment 'bleu' Did you mean 'blue'?"),
        ({"mirror": {"red": 100}}, "There is no deployment 'red'."),
        ({"mirrors": {}}, "mirrors"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_plan({**BOTH, **change}, "here")
    assert words in str(caught.value)


MANY: dict[str, dict[str, Any]] = {
    "unknown keys": {f"key{number}": 1 for number in range(5000)},
    "long unknown keys": {f"key{number}" * 2000: 1 for number in range(8)},
    "deployments with errors": {"deployments": {f"d{number}": {} for number in range(5000)}},
    "deployments with unknown keys": {"deployments": {"d": {f"key{number}": 1 for number in range(5000)}}},
    "long names of deployments": {"deployments": {"d" * 50_000: BLUE}},
    "shares out of range": {"traffic": {f"d{number}": 101 for number in range(5000)}},
    "shares of unknown deployments": {"traffic": {"d" * 50_000: 100}},
    "shares that are no numbers": {"mirror": {f"d{number}" * 100: "x" * 1000 for number in range(5000)}},
    "a long value": {"deployments": {"d": {"model": ["x" * 50_000]}}},
}


@pytest.mark.parametrize("case", MANY)
def test_however_much_is_wrong_the_message_is_short(case: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_plan({**BOTH, **MANY[case]}, "The change")
    message = str(caught.value)
    assert len(message) < 2000
    assert message.startswith("The change: ")
    if any(len(value) == 5000 for value in (MANY[case], *MANY[case].values()) if isinstance(value, dict)):
        assert message.endswith("There are 4995 more such errors.")


@pytest.mark.parametrize("settings", [{"x" * 50_000: 1}, {"runtime": "x" * 50_000}, {"max_images": ["x"] * 5000}])
def test_however_long_a_setting_is_the_message_is_short(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        own_settings(ServerSettings(), DeploymentSpec(model=Path("x"), settings=settings), "here")
    assert len(str(caught.value)) < 500


def test_a_deployment_sets_what_is_about_its_model() -> None:
    server = ServerSettings(model=Path("x"), max_images=3, port=80)
    own = own_settings(server, DeploymentSpec.model_validate({"model": "y", "settings": {"max_images": "5"}}), "here")
    assert (own.max_images, own.port) == (5, 80)


def test_a_script_sets_what_is_about_scripts() -> None:
    own = own_settings(ServerSettings(workers=3), DeploymentSpec.model_validate(SCRIPT), "here")
    assert own.workers == 2
    with pytest.raises(SettingsError, match="here: the setting 'precision' means nothing for a script"):
        own_settings(ServerSettings(), DeploymentSpec(entry_script=Path("x"), settings={"precision": "bf16"}), "here")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"port": 80}, "here: the setting 'port' is the same for all deployments."),
        ({"max_imges": 80}, "here: the setting 'max_imges' is not known. Did you mean 'max_images'"),
        ({"workers": 2}, "here: the setting 'workers' means nothing for a model."),
        ({"max_images": 0}, "here: 'max_images' is 0; expected a whole number from 1 to 65536."),
        ({"runtime": "fast"}, "here: 'runtime' is 'fast'; expected one of auto, eager"),
    ],
)
def test_and_nothing_else(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        own_settings(ServerSettings(), DeploymentSpec(model=Path("x"), settings=settings), "here")
    assert words in str(caught.value)
