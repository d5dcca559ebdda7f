"""Settings as text: the effective values for `--check`, and the tables in the docs."""

from collections.abc import Mapping

from pydantic import BaseModel

from settings.command import default_text, flag, variable
from settings.expectation import expectation
from settings.load import spellings
from settings.model import ModelSettings
from settings.resolved import Resolved
from settings.server import ServerSettings


def effective_values(title: str, resolved: Resolved[BaseModel]) -> str:
    """List every field as "name  value  source", under `title`."""
    rows = [
        (name, _value_text(getattr(resolved.values, name)), resolved.sources[name])
        for name in type(resolved.values).model_fields
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"  {name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows]
    return "\n".join([title, *lines])


def server_settings_table() -> str:
    """Render ServerSettings as a Markdown table with a row per flag."""
    rows = []
    for name, field in ServerSettings.model_fields.items():
        accepts = expectation(ServerSettings, name).removesuffix(" or null")  # an absent flag is the null
        rows.append(
            f"| `{flag(name)}` | `{variable(name)}` | `{default_text(name)}` | {accepts} | {field.description} |"
        )
    return "\n".join(["| flag | variable | default | accepts | meaning |", "|---|---|---|---|---|", *rows])


def model_settings_table(schemas: Mapping[str, type[ModelSettings]]) -> str:
    """Render settings.json schemas as one Markdown table: a row per key, and a column of defaults for each schema."""
    rows = []
    for name in dict.fromkeys(name for schema in schemas.values() for name in schema.model_fields):
        owners = [schema for schema in schemas.values() if name in schema.model_fields]
        keys = [f"`{name}`", *(f"`{key}`" for key, owner in spellings(owners[0]).items() if owner == name != key)]
        defaults = [
            f"`{_value_text(schema.model_fields[name].default)}`" if schema in owners else ""
            for schema in schemas.values()
        ]
        description = owners[0].model_fields[name].description
        rows.append(f"| {', '.join(keys)} | {' | '.join(defaults)} | {expectation(owners[0], name)} | {description} |")
    head = ["key, aliases", *schemas, "accepts", "meaning"]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows])


def _value_text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
