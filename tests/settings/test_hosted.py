"""What the hosted service says in its environment, and what wins over it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from settings.command import load_server_settings, server_parser
from settings.errors import SettingsError
from settings.resolved import Resolved
from settings.server import ServerSettings

SCRIPT = {
    "AZUREML_ENTRY_SCRIPT": "code/score.py",
    "AZUREML_MODEL_DIR": "/var/m",
    "AML_APP_ROOT": "/var/app",
    "AZUREML_SOURCE_DIRECTORY": "src",
    "WORKER_COUNT": "3",
    "SCORING_TIMEOUT_MS": "60000",
    "MLFLOW_MODEL_FOLDER": "mlflow-model",
}


def parse(words: Sequence[str] = (), env: Mapping[str, str] = SCRIPT) -> Resolved[ServerSettings]:
    return load_server_settings(vars(server_parser("server").parse_args(words)), env)


def test_the_variables_of_a_script() -> None:
    found = parse()
    values = found.values
    assert (values.entry_script, values.source_dir) == (Path("/var/app/code/score.py"), Path("/var/app/src"))
    assert (values.app_root, values.model_dir, values.model) == (Path("/var/app"), Path("/var/m"), None)
    assert (values.workers, values.scoring_timeout_ms) == (3, 60_000)
    assert found.sources["entry_script"] == "AZUREML_ENTRY_SCRIPT"
    assert found.sources["workers"] == "WORKER_COUNT"


def test_absolute_paths_stay_as_they_are() -> None:
    found = parse(env={**SCRIPT, "AZUREML_ENTRY_SCRIPT": "/a/score.py", "AML_APP_ROOT": ""}).values
    assert (found.entry_script, found.source_dir, found.app_root) == (Path("/a/score.py"), Path("src"), None)


def test_flags_and_our_own_variables_win() -> None:
    found = parse(["--entry-script", "mine.py", "--workers", "1"], SCRIPT | {"SIGHTGLASS_MODEL_DIR": "/mine"}).values
    assert (found.entry_script, found.workers, found.model_dir) == (Path("mine.py"), 1, Path("/mine"))
    assert (found.app_root, found.scoring_timeout_ms) == (Path("/var/app"), 60_000)


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["--model", "m"], {}),
        (["--name", "n"], {}),
        (["--deployments", "d"], {}),
        ([], {"SIGHTGLASS_MODEL": "m"}),
    ],
)
def test_who_names_a_model_serves_a_model(words: list[str], env: dict[str, str]) -> None:
    found = parse(words, SCRIPT | env)
    assert (found.values.entry_script, found.values.model_dir, found.values.workers) == (None, None, 1)


def test_without_a_script_the_variables_mean_nothing() -> None:
    env = {name: value for name, value in SCRIPT.items() if name != "AZUREML_ENTRY_SCRIPT"}
    found = parse(env={**env, "WORKER_COUNT": "many"}).values
    assert (found.model, found.model_dir, found.workers) == (Path("/var/m/mlflow-model"), None, 1)


def test_a_flag_for_the_script_replaces_the_variables_for_models() -> None:
    found = parse(["--entry-script", "mine.py"], {"SIGHTGLASS_MODEL": "m", "SIGHTGLASS_MODEL_VERSION": "3"}).values
    assert (found.entry_script, found.model, found.model_version) == (Path("mine.py"), None, "latest")


def test_a_model_and_a_script_exclude_each_other() -> None:
    with pytest.raises(SettingsError, match=r"Both the model folder 'm' and the entry script 's\.py' are given"):
        parse(["--model", "m", "--entry-script", "s.py"], {})


def test_a_wrong_value_is_named_with_its_variable() -> None:
    with pytest.raises(SettingsError, match="WORKER_COUNT is 'many'; expected a whole number from 1 to 256"):
        parse(env={**SCRIPT, "WORKER_COUNT": "many"})
