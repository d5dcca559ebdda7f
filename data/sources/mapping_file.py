"""Small files of names and values, in JSON or YAML."""

import json
from pathlib import Path
from typing import Any

import yaml

from data.errors import DataError
from settings.excerpt import excerpt, shortened


def read_mapping(file: Path, expected: str) -> dict[str, Any]:
    """Read a map with texts as keys; DataError, which says what was `expected`, where a file is none."""
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    try:
        content: Any = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = shortened(" ".join(str(error).split()), 200)
        raise DataError(f"{file} cannot be read: {reason}. Expected {expected}.") from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise DataError(f"{file} holds {excerpt(content)}; expected {expected}.")
    return content
