"""Merges settings.json, checkpoint and defaults. Each error names the file, the key, the value and the expectation."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from settings.errors import SettingsError
from settings.excerpt import excerpt
from settings.expectation import did_you_mean, expectation
from settings.json_file import JsonFile
from settings.model import SCHEMAS, ModelSettings
from settings.resolved import Resolved

Schema = TypeVar("Schema", bound=ModelSettings)
Given = dict[str, tuple[Any, str, str]]  # field -> (value, where it stands, the key it stands under)


def load_model_settings(
    schema: type[Schema],
    *,
    file: JsonFile | None = None,
    checkpoint: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    strict: bool = False,
) -> Resolved[Schema]:
    """Resolve the settings of one model folder: `fixed` by the architecture, then `file`, `checkpoint`, `defaults`.

    Keys that `schema` does not know become warnings, or with `strict` a SettingsError. A value of the wrong type or
    out of range is always a SettingsError.
    """
    checkpoint_given, _ = _sort_keys(schema, checkpoint or {}, "checkpoint")
    file_given: Given = {}
    warnings: list[str] = []
    if file is not None:
        file_given, warnings = _sort_keys(schema, file.content, str(file.path))
        if strict and warnings:
            raise SettingsError(" ".join(warnings))
    own_defaults = {name: (value, "model default", name) for name, value in (defaults or {}).items()}
    merged = own_defaults | checkpoint_given | file_given
    for name, value in (fixed or {}).items():
        if name in file_given and file_given[name][0] != value:
            other, source, key = file_given[name]
            warnings.append(f"{source}: {key!r} is {other!r}, but this architecture always uses {value!r}.")
        merged[name] = (value, "architecture", name)
    values = _validated(schema, merged)
    sources = {name: merged[name][1] if name in merged else "default" for name in schema.model_fields}
    return Resolved(values, sources, tuple(warnings))


def override(values: Schema, given: Mapping[str, Any], source: str) -> Schema:
    """Return `values` with the changes that a request asks for; SettingsError where a key or a value does not fit.

    Only the fields in the schema's `per_request` may be set. A null is a value where the field allows it, such as no
    tiles; otherwise it leaves the field as it is.
    """
    schema = type(values)
    known = [key for key, name in spellings(schema).items() if name in schema.per_request]
    if unknown := [key for key in given if key not in known]:
        key = unknown[0]
        fixed = key in spellings(schema)
        why = "is fixed for all requests, in settings.json" if fixed else "is not known"
        hint = "" if fixed else did_you_mean(str(key), known)
        accepted = ", ".join(schema.per_request) or "none for this kind of model"
        raise SettingsError(f"{source}: the key {excerpt(key)} {why}.{hint} Accepted: {accepted}.")
    changed, _ = _sort_keys(schema, given, source)
    kept: Given = {name: (getattr(values, name), "settings", name) for name in schema.model_fields}
    return _validated(schema, kept | changed)


def spellings(schema: type[BaseModel]) -> dict[str, str]:
    """Map every accepted key, aliases included, to its field."""
    known: dict[str, str] = {}
    for name, field in schema.model_fields.items():
        alias = field.validation_alias
        choices: Iterable[Any] = alias.choices if isinstance(alias, AliasChoices) else ()
        known |= {str(choice): name for choice in choices} | {name: name}
    return known


def _sort_keys(schema: type[ModelSettings], content: Mapping[str, Any], source: str) -> tuple[Given, list[str]]:
    known = spellings(schema)
    elsewhere = {key for other in SCHEMAS if other is not schema for key in spellings(other)}
    given: Given = {}
    warnings = []
    for key, entry in content.items():
        name = known.get(key)
        value = entry.tolist() if hasattr(entry, "tolist") else entry  # checkpoints hold numbers of NumPy and PyTorch
        if name is None:
            why = "belongs to another kind of model" if key in elsewhere else "is not known"
            near = "" if key in elsewhere else did_you_mean(str(key), known)
            warnings.append(f"{source}: the key {key!r} {why} and is ignored.{near}")
        # null means "not decided here", as in the files that training writes for unused options; it is a value only
        # where it is the default of the field
        elif value is None and schema.model_fields[name].default is not None:
            continue
        elif name in given and given[name][0] != value:
            raise SettingsError(
                f"{source}: {key!r} is {value!r}, but {given[name][2]!r} sets the same to "
                f"{given[name][0]!r}. Keep one of the two."
            )
        else:
            given[name] = (value, source, key)
    return given, warnings


def _validated(schema: type[Schema], merged: Given) -> Schema:
    try:
        return schema.model_validate({name: value for name, (value, *_) in merged.items()})
    except ValidationError as error:
        sentences = dict.fromkeys(_sentence(schema, merged, item) for item in error.errors())
        raise SettingsError(" ".join(sentences)) from None


def _sentence(schema: type[ModelSettings], merged: Given, item: ErrorDetails) -> str:
    if not item["loc"]:
        places = sorted({source for _, source, _ in merged.values()})
        return f"{', '.join(places)}: {_reason(item)}."
    name = str(item["loc"][0])
    value, source, key = merged[name]
    reason = f" ({_reason(item)})" if item["type"] == "value_error" else ""
    return f"{source}: {key!r} is {excerpt(value)}; expected {expectation(schema, name)}{reason}."


def _reason(item: ErrorDetails) -> str:
    return str(item.get("ctx", {}).get("error", item["msg"]))
