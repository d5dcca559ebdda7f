"""Moves the named schemas of an OpenAPI description to its components, after which generated clients name types."""

from typing import Any

_EXAMPLES = ("example", "examples")
_COMPOSED = ("properties", "additionalProperties", "items", "anyOf")


def collect_components(description: dict[str, Any]) -> None:
    """Replace every named schema in the paths by a reference; ValueError where two schemas have one name."""
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    description["paths"] = _referring(description["paths"], schemas)


def _referring(part: Any, schemas: dict[str, Any]) -> Any:
    if isinstance(part, list):
        return [_referring(each, schemas) for each in part]
    if not isinstance(part, dict):
        return part
    replaced = {key: value if key in _EXAMPLES else _referring(value, schemas) for key, value in part.items()}
    name = part.get("title")
    # the web framework gives titles to parameters, too, which are simple types
    if not isinstance(name, str) or not name.isidentifier() or not any(key in part for key in _COMPOSED):
        return replaced
    del replaced["title"]
    if schemas.setdefault(name, replaced) != replaced:
        raise ValueError(f"Two schemas of the API's description have the name {name!r}.")
    return {"$ref": f"#/components/schemas/{name}"}
