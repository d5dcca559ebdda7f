"""JsonFile: a JSON object together with the file it came from, which every error about it names."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings.byte_order_mark import as_utf8
from settings.errors import SettingsError


@dataclass(frozen=True, slots=True)
class JsonFile:
    """The object in a JSON file, by its keys."""

    path: Path
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "JsonFile":
        """Read and parse a file; SettingsError where it cannot be read or holds no JSON object."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
        return cls.parse(path, data)

    @classmethod
    def parse(cls, path: Path, data: bytes) -> "JsonFile":
        """Parse the bytes of a file, UTF-8 or UTF-16; SettingsError where they are no JSON object."""
        try:
            content = json.loads(as_utf8(data).decode())
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"{path} is not valid JSON: {error}. Correct the file or remove it.") from None
        if not isinstance(content, dict):
            raise SettingsError(f"{path} holds a JSON {type(content).__name__}; expected an object of keys and values.")
        return cls(path, content)
