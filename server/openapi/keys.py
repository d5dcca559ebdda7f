"""The keys that operations need, in OpenAPI: the page gets its Authorize button from them."""

from typing import Any

_SCORING, _ADMIN = "scoring_key", "admin_key"
_SCHEMES = {
    _SCORING: {"type": "http", "scheme": "bearer", "description": "A key of the file --keys-file."},
    _ADMIN: {"type": "http", "scheme": "bearer", "description": "A key of the file --admin-keys-file."},
}

# part of the description of an operation that needs a key
NEEDS_SCORING_KEY: dict[str, Any] = {"security": [{_SCORING: []}]}
NEEDS_ADMIN_KEY: dict[str, Any] = {"security": [{_ADMIN: []}]}


def add_keys(description: dict[str, Any], *, scoring_key_required: bool) -> None:
    """Add the keys' schemes to an OpenAPI description; where scoring needs no key, its operations name none."""
    description.setdefault("components", {})["securitySchemes"] = _SCHEMES
    if scoring_key_required:
        return
    for operations in description["paths"].values():
        for operation in operations.values():
            if operation.get("security") == NEEDS_SCORING_KEY["security"]:
                del operation["security"]
