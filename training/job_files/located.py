"""LocatedContent: what a YAML or JSON file holds, and the line where each key stands."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from settings.byte_order_mark import as_utf8
from settings.errors import SettingsError
from settings.excerpt import excerpt, shortened

_MOST_BYTES = 2**20
_KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class LocatedContent:
    """An object in a file. `lines` are counted from 1, by the path of a key; JSON has none."""

    path: Path
    content: dict[str, Any]
    lines: Mapping[_KeyPath, int]

    def place(self, *keys: str | int) -> str:
        """Return where a key stands, such as `job.yml, line 7, limits.max_trials`."""
        line = next((self.lines[keys[:end]] for end in range(len(keys), 0, -1) if keys[:end] in self.lines), None)
        written = "".join(f"[{key}]" if isinstance(key, int) else f".{shortened(key, 100)}" for key in keys)
        return ", ".join(filter(None, [str(self.path), f"line {line}" if line else "", written.removeprefix(".")]))


def read_located(path: Path) -> LocatedContent:
    """Read a YAML or JSON file without running code from it; SettingsError where it holds no object of texts."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}. Name a job file in YAML or JSON.") from None
    if len(data) > _MOST_BYTES:
        raise SettingsError(f"{path} has more than {_MOST_BYTES} bytes; expected a job file in YAML or JSON.")
    try:
        text = as_utf8(data).decode()
        content, lines = _parsed(text, path.suffix.lower() == ".json")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise SettingsError(f"{path}{where}: this is no YAML ({error.problem or error.context}). Correct it.") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"{path} can be read neither as YAML nor as JSON: {error}. Correct it.") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path} holds {excerpt(content)}; expected keys such as task and training_data.")
    return LocatedContent(path, content, lines)


def _parsed(text: str, is_json: bool) -> tuple[Any, dict[_KeyPath, int]]:
    if is_json:
        return json.loads(text), {}
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        lines: dict[_KeyPath, int] = {}
        _locate(node, (), lines, {})
        return (loader.construct_document(node) if node is not None else None), lines
    finally:
        loader.dispose()


def _locate(node: Any, keys: _KeyPath, lines: dict[_KeyPath, int], above: dict[int, bool]) -> None:
    """Note the line of each key; a key that stands twice is an error, as one of its values would be lost.

    `above` holds the nodes that were seen, and whether they are around this one.
    """
    if id(node) in above:  # an alias of what stands elsewhere
        if above[id(node)]:
            raise yaml.MarkedYAMLError(problem="a value holds itself", problem_mark=node.start_mark)
        return
    above[id(node)] = True
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = (*keys, str(key.value))
            if path in lines and key.value != "<<":
                problem = f"the key {excerpt(key.value)} stands there twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            lines[path] = key.start_mark.line + 1
            _locate(value, path, lines, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*keys, index] = value.start_mark.line + 1
            _locate(value, (*keys, index), lines, above)
    above[id(node)] = False
