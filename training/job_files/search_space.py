"""Search spaces in job files: those that leave nothing to search are hyperparameters of one run."""

import re
from collections.abc import Mapping
from typing import Any

from settings.errors import SettingsError
from settings.excerpt import excerpt
from training.job_files.located import LocatedContent

_CALL = re.compile(r"(choice|q?uniform|q?log(?:uniform|normal)|q?normal|randint)\s*\((.*)\)", re.DOTALL)
_ONE_MODEL = (
    "`training run` trains one model and does not search: write one value for each hyperparameter under "
    "training_parameters."
)


def fixed_values(file: LocatedContent, space: Any, *keys: str | int) -> dict[str, Any]:
    """Return the values in a search space that has one for each parameter; SettingsError for any other.

    `keys` are where the space stands in the file.
    """
    if isinstance(space, list) and len(space) != 1:
        raise SettingsError(f"{file.place(*keys)}: there are {len(space)} spaces. {_ONE_MODEL}")
    if isinstance(space, list):
        keys, space = (*keys, 0), space[0]
    if not isinstance(space, Mapping):
        raise SettingsError(f"{file.place(*keys)} is {excerpt(space)}; expected names of hyperparameters and values.")
    return {str(name): _single(file, value, *keys, str(name)) for name, value in space.items()}


def _single(file: LocatedContent, value: Any, *keys: str | int) -> Any:
    choices = _choices(value)
    if choices is None or len(choices) != 1:
        raise SettingsError(f"{file.place(*keys)} is {excerpt(value)}, a range to search. {_ONE_MODEL}")
    (only,) = choices
    return fixed_values(file, only, *keys) if isinstance(only, Mapping) else only


def _choices(value: Any) -> list[Any] | None:
    """Return what a hyperparameter may be, or None for a distribution."""
    if isinstance(value, str) and (call := _CALL.fullmatch(value.strip())):
        words = [word.strip().strip("'\"") for word in call[2].strip("[] ").split(",")]
        return words if call[1] == "choice" else None
    if isinstance(value, Mapping) and "type" in value:
        values = value.get("values")
        return values if value["type"] == "choice" and isinstance(values, list) else None
    return value if isinstance(value, list) else [value]
