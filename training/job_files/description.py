"""JobDescription: the keys of a job file, as the hosted service's command line documents them."""

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from settings.errors import SettingsError
from settings.excerpt import excerpt
from settings.expectation import did_you_mean, expectation
from settings.load import spellings
from settings.server import NAME
from training.hyperparameters.kinds import NUMBER, WHOLE, Positive
from training.job_files.located import LocatedContent
from training.job_files.tasks import HOSTED_TASKS

# What only the cloud needs, or only people
IGNORED = (
    "$schema",
    "compute",
    "creation_context",
    "description",
    "display_name",
    "environment",
    "environment_variables",
    "experiment_name",
    "id",
    "identity",
    "log_verbosity",
    "notification_setting",
    "outputs",
    "parent_job_name",
    "properties",
    "queue_settings",
    "resources",
    "services",
    "status",
    "tags",
)


def _as_input(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _given(what: str) -> dict[str, Any]:
    return {"expectation": what}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataInput(_Part):
    """Where data is."""

    path: str = Field(min_length=1, json_schema_extra=_given("a path"))
    type: str = "mltable"
    mode: str = "ro_mount"


class JobLimits(_Part):
    """When a job ends, and how many models it may try."""

    timeout_minutes: Annotated[float, Field(gt=0), NUMBER] | None = Field(
        None, validation_alias=AliasChoices("timeout_minutes", "timeout"), json_schema_extra=_given("minutes above 0")
    )
    trial_timeout_minutes: Annotated[float, Field(gt=0), NUMBER] | None = Field(
        None,
        validation_alias=AliasChoices("trial_timeout_minutes", "trial_timeout"),
        json_schema_extra=_given("minutes above 0"),
    )
    max_trials: Annotated[int, Field(ge=1, le=1000), WHOLE] = Field(
        1, validation_alias=AliasChoices("max_trials", "iterations")
    )
    max_concurrent_trials: Annotated[int, Field(ge=1, le=100), WHOLE] = Field(
        1, validation_alias=AliasChoices("max_concurrent_trials", "max_concurrent_iterations")
    )
    max_nodes: Positive = 1


_INPUT = _given('a path, or an object such as {"path": "train.jsonl", "type": "mltable"}')
_PARAMETERS = _given("names of hyperparameters and values")


class JobDescription(_Part):
    """What a job file says, before paths, task and hyperparameters are resolved."""

    type: str = "automl"
    name: str | None = Field(
        None,
        pattern=NAME,
        json_schema_extra=_given("letters, digits and . _ -, at most 64, of which the first is a letter or digit"),
    )
    task: str = Field(json_schema_extra=_given(f"one of {', '.join(HOSTED_TASKS)}"))
    primary_metric: str | None = None
    training_data: Annotated[DataInput, BeforeValidator(_as_input)] = Field(json_schema_extra=_INPUT)
    validation_data: Annotated[DataInput, BeforeValidator(_as_input)] | None = Field(None, json_schema_extra=_INPUT)
    validation_data_size: Any = None
    target_column_name: str = "label"
    limits: JobLimits = Field(JobLimits(), json_schema_extra=_given("an object such as {timeout_minutes: 60}"))
    training_parameters: dict[str, Any] = Field({}, json_schema_extra=_PARAMETERS)
    image_model: dict[str, Any] = Field({}, json_schema_extra=_PARAMETERS)
    search_space: Any = None
    sweep: Any = None
    roots: dict[str, str] = Field({}, json_schema_extra=_given("names of datastores and their folders"))


def described(file: LocatedContent, content: dict[str, Any]) -> JobDescription:
    """Return the content of a job file, by its keys; SettingsError, with the line, where one does not fit."""
    kept = {key: value for key, value in content.items() if key not in IGNORED and value is not None}
    try:
        return JobDescription.model_validate(kept)
    except ValidationError as error:
        sentences = dict.fromkeys(_sentence(file, item["type"], item["loc"], item["input"]) for item in error.errors())
        raise SettingsError(" ".join(sentences)) from None


def _sentence(file: LocatedContent, kind: str, keys: tuple[str | int, ...], value: Any) -> str:
    schema: type[BaseModel] = JobDescription
    if len(keys) > 1:
        schema = JobLimits if keys[0] == "limits" else DataInput if str(keys[0]).endswith("_data") else schema
    key = str(keys[0] if schema is JobDescription else keys[1])
    name = spellings(schema).get(key)
    if kind == "invalid_key" or name is None:
        unknown = str(keys[-1]) if kind == "invalid_key" else key
        known = (*spellings(schema), *(IGNORED if schema is JobDescription else ()))
        accepted = ", ".join(schema.model_fields)
        hint = did_you_mean(unknown, known)
        return f"{file.place(*keys)}: the key {excerpt(unknown)} is not known.{hint} Accepted: {accepted}."
    if kind == "missing":
        return f"{file.place(*keys[:-1])}: the key {key!r} is missing; expected {expectation(schema, name)}."
    return f"{file.place(*keys)} is {excerpt(value)}; expected {expectation(schema, name)}."
