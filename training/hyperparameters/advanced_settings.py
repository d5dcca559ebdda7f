"""advanced_settings: switches of the hosted service that stand in a text of JSON among the hyperparameters."""

import json
from collections.abc import Mapping
from typing import Any

from settings.excerpt import excerpt
from settings.expectation import did_you_mean
from training.hyperparameters.source import Source, refusal

ADVANCED = "advanced_settings"
_KEYS = ("apply_mosaic_for_yolo", "apply_automl_train_augmentations", "stream_image_files")


def flattened(given: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Return hyperparameters with those inside `advanced_settings` beside the others.

    SettingsError where it is no JSON object of known keys; the hosted service ignores it then.
    """
    values = {str(key): value for key, value in given.items() if key != ADVANCED}
    for key, value in _object(given.get(ADVANCED), source).items():
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS)
            accepted = ", ".join(_KEYS)
            raise refusal(
                source, ADVANCED, f"{ADVANCED!r} holds {excerpt(key)}, which is not known.{hint} Accepted: {accepted}."
            )
        if key in values and values[key] != value:
            raise refusal(source, key, f"{key!r} stands there twice, once in {ADVANCED!r}. Keep one of the two.")
        values[key] = value
    return values


def _object(given: Any, source: Source) -> Mapping[str, Any]:
    if given is None:
        return {}
    advanced = given
    if isinstance(given, str):
        try:
            advanced = json.loads(given)
        except (ValueError, RecursionError) as error:
            example = "'{\"apply_mosaic_for_yolo\": false}'"
            raise refusal(
                source,
                ADVANCED,
                f"{ADVANCED!r} is {excerpt(given)}, which is no JSON: {error}. Expected an object such as {example}.",
            ) from None
    if not isinstance(advanced, Mapping):
        accepted = ", ".join(_KEYS)
        raise refusal(source, ADVANCED, f"{ADVANCED!r} is {excerpt(advanced)}; expected an object of {accepted}.")
    return advanced
