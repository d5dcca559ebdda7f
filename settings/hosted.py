"""The variables and config keys of the hosted endpoint's server that apply here too."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Variable -> the field that it sets
VARIABLES: Mapping[str, str] = {
    "SCORING_TIMEOUT_MS": "request_timeout_ms",
    "AML_CORS_ORIGINS": "cors_origins",
    "AZUREML_LOG_LEVEL": "log_level",
    "SERVICE_NAME": "swagger_title",
    "SERVICE_VERSION": "swagger_version",
    "SERVICE_PATH_PREFIX": "swagger_prefix",
    "HEALTH_PORT": "health_port",
    "AZUREML_CONFIG_FILE": "config_file",
}
_HEALTH_SWITCH = "SEPERATE_HEALTH_ENDPOINT"  # as it is spelt
_LEVELS = {"critical": "error", "fatal": "error", "warn": "warning", "notset": "debug"}
# Variable -> field, used only where a script is served, since WORKER_COUNT may be about anything
_OF_SCRIPTS = {
    "AZUREML_ENTRY_SCRIPT": "entry_script",
    "AZUREML_MODEL_DIR": "model_dir",
    "AML_APP_ROOT": "app_root",
    "AZUREML_SOURCE_DIRECTORY": "source_dir",
    "WORKER_COUNT": "workers",
    "SCORING_TIMEOUT_MS": "scoring_timeout_ms",
}
_BELOW_ROOT = ("entry_script", "source_dir")

KEYS = (*VARIABLES, *_OF_SCRIPTS, "MLFLOW_MODEL_FOLDER", _HEALTH_SWITCH)  # every variable and key that is understood

Given = dict[str, tuple[Any, str]]  # field -> value, and where it stands


def hosted_values(values: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield (field, value, variable) for each variable that is set, with the value that a flag would have."""
    for variable, field in VARIABLES.items():
        value = values.get(variable)
        if value in (None, ""):
            continue
        if field == "health_port" and str(values.get(_HEALTH_SWITCH, "")).lower() != "true":
            continue
        if field == "log_level":
            value = _LEVELS.get(str(value).lower(), str(value).lower())
        yield field, value, variable


def hosted_service(given: Given, values: Mapping[str, Any]) -> Given:
    """Return the script or the model folder that `values` name, unless `given` names what to serve.

    A script wins over a model folder, as at the hosted endpoint.
    """
    if {"model", "name", "deployments"} & given.keys():
        return {}
    if "entry_script" in given or values.get("AZUREML_ENTRY_SCRIPT"):
        service: Given = {
            field: (values[name], name)
            for name, field in _OF_SCRIPTS.items()
            if values.get(name) and field not in given
        }
        root = str((given | service).get("app_root", ("",))[0])
        return {
            field: (str(Path(root, value)) if field in _BELOW_ROOT else value, name)
            for field, (value, name) in service.items()
        }
    if values.get("AZUREML_MODEL_DIR"):
        folder = "/".join(filter(None, [values["AZUREML_MODEL_DIR"], values.get("MLFLOW_MODEL_FOLDER")]))
        return {"model": (folder, "AZUREML_MODEL_DIR")}
    return {}
