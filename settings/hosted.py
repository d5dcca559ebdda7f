"""What the hosted endpoint's server is told by its environment and its config file, as far as it makes sense here."""

from collections.abc import Iterator, Mapping
from typing import Any

# variable -> the field that it sets
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


def hosted_values(values: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield (field, value, variable) for what is set, as a flag would have it."""
    for variable, field in VARIABLES.items():
        value = values.get(variable)
        if value in (None, ""):
            continue
        if field == "health_port" and str(values.get(_HEALTH_SWITCH, "")).lower() != "true":
            continue
        if field == "log_level":
            value = _LEVELS.get(str(value).lower(), str(value).lower())
        yield field, value, variable
