"""What a field accepts, in words, for error messages, `--help` and the tables in the docs."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "array": "a list",
    "null": "null",
}


def expectation(schema: type[BaseModel], name: str) -> str:
    """Describe the values that field `name` of `schema` accepts, such as "a whole number from 1 to 8192"."""
    return _words(schema.model_json_schema(by_alias=False)["properties"][name])


def _words(part: dict[str, Any]) -> str:
    if "expectation" in part:
        return str(part["expectation"])
    if "anyOf" in part:
        return " or ".join(_words(choice) for choice in part["anyOf"])
    if "enum" in part:
        return "one of " + ", ".join(str(choice) for choice in part["enum"])
    if "const" in part:
        return str(part["const"])
    if part.get("format") == "path":
        return "a path"
    if part.get("type") == "array" and "prefixItems" in part:
        return f"a list of {len(part['prefixItems'])}, each {_words(part['prefixItems'][0])}"
    return _KINDS.get(part.get("type", ""), "a value") + _bounds(part)


def _bounds(part: dict[str, Any]) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    below = part.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low:.10g} to {high:.10g}"
    if low is not None and below is not None:
        return f" from {low:.10g} to below {below:.10g}"
    return f" of at least {low:.10g}" if low is not None else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x' or 'y'?" with near matches of `word`, or an empty text where none is near."""
    near = get_close_matches(word, list(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(match) for match in near)}?" if near else ""
