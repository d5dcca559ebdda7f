"""Settings as text: the effective values for `--check`, and the tables in the docs."""

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


def model_settings_table(schema: type[ModelSettings]) -> str:
    """Render one settings.json schema as a Markdown table with a row per key."""
    rows = []
    for name, field in schema.model_fields.items():
        aliases = ", ".join(f"`{key}`" for key, owner in spellings(schema).items() if owner == name and key != name)
        rows.append(
            f"| `{name}` | {aliases} | `{_value_text(field.default)}` | {expectation(schema, name)} "
            f"| {field.description} |"
        )
    return "\n".join(["| key | aliases | default | accepts | meaning |", "|---|---|---|---|---|", *rows])


def _value_text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
