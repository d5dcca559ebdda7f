"""Jobs as the hosted service's SDK sends them: JSON with `properties.taskDetails` and keys in camel case."""

import re
from collections.abc import Mapping
from typing import Any

_CAPITALS = re.compile("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")
_NAMES = {
    "job_type": "type",
    "task_type": "task",
    "limit_settings": "limits",
    "model_settings": "training_parameters",
    "sweep_settings": "sweep",
    "compute_id": "compute",
    "validation_data_size": "validation_data_size",
}
_KEPT = ("tags", "properties", "services", "resources", "identity", "outputs")  # their keys are the user's own


def as_command_line_form(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with the keys of the command line's YAML; that of a job in this form already as it is."""
    properties = content.get("properties")
    details = properties.get("taskDetails") if isinstance(properties, Mapping) else None
    if not isinstance(properties, Mapping) or not isinstance(details, Mapping):
        return dict(content)
    outer = {key: value for key, value in content.items() if key not in ("properties", "id", "systemData")}
    outer["type"] = "automl"
    inner = {key: value for key, value in properties.items() if key not in ("taskDetails", "jobType")}
    return _renamed({**outer, **inner, **details})


def _renamed(content: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {}
    for key, value in content.items():
        snake = _CAPITALS.sub("_", str(key)).lower()
        name = _NAMES.get(snake, snake)
        renamed[name] = value if name in _KEPT else _value(name, value)
    return renamed


def _value(name: str, value: Any) -> Any:
    if name in ("training_data", "validation_data") and isinstance(value, Mapping):
        return {"path" if key == "uri" else "type" if key == "jobInputType" else key: value[key] for key in value}
    if name == "limits" and isinstance(value, Mapping):
        limits = _renamed(value)
        for given, ours in (("timeout", "timeout_minutes"), ("trial_timeout", "trial_timeout_minutes")):
            if given in limits:
                limits[ours] = _minutes(limits.pop(given))
        return limits
    if isinstance(value, Mapping):
        return _renamed(value)
    return [_value("", each) for each in value] if isinstance(value, list) else value


def _minutes(duration: Any) -> Any:
    """Return the minutes of a duration as ISO 8601 writes it, such as PT1H30M; anything else as it is."""
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) and len(duration) > 1 else None
    if match is None:
        return duration
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return (days * 24 + hours) * 60 + minutes + seconds / 60
