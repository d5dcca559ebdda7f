"""What tells the hosted endpoint's server how to serve tells this one too: its variables and its config file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from settings.command import load_server_settings
from settings.errors import SettingsError
from tests.support.contract import contract


def settings_of(env: Mapping[str, str], **flags: Any) -> dict[str, Any]:
    found = load_server_settings(flags, env)
    return {
        name: (getattr(found.values, name), source) for name, source in found.sources.items() if source != "default"
    }


@contract(
    "Routes, headers and life cycle",
    "SCORING_TIMEOUT_MS, AML_CORS_ORIGINS, AZUREML_LOG_LEVEL, SERVICE_NAME, SERVICE_VERSION, SERVICE_PATH_PREFIX",
)
@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("SCORING_TIMEOUT_MS", "1500", "request_timeout_ms", 1500),
        (
            "AML_CORS_ORIGINS",
            "https://a.example,https://b.example",
            "cors_origins",
            ("https://a.example", "https://b.example"),
        ),
        ("AZUREML_LOG_LEVEL", "INFO", "log_level", "info"),
        ("AZUREML_LOG_LEVEL", "CRITICAL", "log_level", "error"),
        ("AZUREML_LOG_LEVEL", "WARN", "log_level", "warning"),
        ("SERVICE_NAME", "fridge", "swagger_title", "fridge"),
        ("SERVICE_VERSION", "2.5", "swagger_version", "2.5"),
        ("SERVICE_PATH_PREFIX", "/api", "swagger_prefix", "/api"),
    ],
)
def test_a_hosted_variable_sets_a_field_below_ours(variable: str, value: str, field: str, expected: Any) -> None:
    assert settings_of({variable: value}) == {field: (expected, variable)}
    assert settings_of({variable: ""}) == {}
    ours = {"request_timeout_ms": "7", "cors_origins": "*", "log_level": "debug"}.get(field, "ours")
    name = f"SIGHTGLASS_{field.upper()}"
    assert settings_of({variable: value, name: ours})[field][1] == name


@contract("Routes, headers and life cycle", "HEALTH_PORT, if SEPERATE_HEALTH_ENDPOINT is true")
def test_the_health_port_has_a_switch_of_its_own() -> None:
    assert settings_of({"HEALTH_PORT": "5000"}) == {}
    assert settings_of({"HEALTH_PORT": "5000", "SEPERATE_HEALTH_ENDPOINT": "true"}) == {
        "health_port": (5000, "HEALTH_PORT")
    }


def test_a_value_that_does_not_fit_is_named_by_its_variable() -> None:
    with pytest.raises(SettingsError, match="SCORING_TIMEOUT_MS is 'soon'; expected a whole number from 1 to 3600000"):
        settings_of({"SCORING_TIMEOUT_MS": "soon"})


def config(folder: Path, content: Any) -> str:
    file = folder / "config.json"
    file.write_text(json.dumps(content))
    return str(file)


@contract("Routes, headers and life cycle", "AZUREML_CONFIG_FILE names a JSON file with the same keys")
def test_a_config_file_may_use_any_of_the_names_and_ranks_last(tmp_path: Path) -> None:
    content = {"SCORING_TIMEOUT_MS": 1500, "SIGHTGLASS_PORT": 80, "max_images": 7, "AZUREML_MODEL_DIR": "/var/m"}
    file = config(tmp_path, content)
    for env in ({"AZUREML_CONFIG_FILE": file}, {"SIGHTGLASS_CONFIG_FILE": file}):
        found = settings_of(env)
        assert found["request_timeout_ms"] == (1500, f"{file}: SCORING_TIMEOUT_MS")
        assert found["port"] == (80, f"{file}: SIGHTGLASS_PORT")
        assert found["max_images"] == (7, f"{file}: max_images")
        assert found["model"] == (Path("/var/m"), "AZUREML_MODEL_DIR")
        assert settings_of({**env, "SCORING_TIMEOUT_MS": "9"})["request_timeout_ms"] == (9, "SCORING_TIMEOUT_MS")
        assert settings_of({**env, "SIGHTGLASS_MAX_IMAGES": "9"}, port=81)["port"] == (81, "--port")
    assert settings_of({}, config_file=file)["port"][0] == 80


def test_what_is_wrong_in_a_config_file_is_said(tmp_path: Path) -> None:
    file = config(tmp_path, {"max_images": 0})
    with pytest.raises(SettingsError, match=r"config\.json: max_images is 0; expected a whole number from 1 to 65536"):
        settings_of({}, config_file=file)
    file = config(tmp_path, {"max_imges": 5, "AML_APP_INSIGHTS_ENABLED": "true"})
    first, second = load_server_settings({"config_file": file}, {}).warnings
    assert "the key 'max_imges' is not known and is ignored. Did you mean 'max_images'" in first
    assert "'AML_APP_INSIGHTS_ENABLED' is not known and is ignored" in second
    for other in ([1], "x"):
        with pytest.raises(SettingsError, match="expected an object"):
            settings_of({}, config_file=config(tmp_path, other))
    with pytest.raises(SettingsError, match="cannot be read"):
        settings_of({"AZUREML_CONFIG_FILE": str(tmp_path / "none.json")})
