"""Source: where hyperparameters stand, for messages."""

from collections.abc import Callable

from settings.errors import SettingsError

Source = str | Callable[[str], str]
"""One place for all hyperparameters, or a function from a key to its place."""


def place_of(source: Source, key: str) -> str:
    """Return where a key stands."""
    return source if isinstance(source, str) else source(key)


def refusal(source: Source, key: str, text: str) -> SettingsError:
    """Return the error about a key, which begins with its place."""
    return SettingsError(f"{place_of(source, key)}: {text}")
