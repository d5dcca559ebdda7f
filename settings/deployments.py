"""Deployments: the models that one server holds by name, and how requests are shared among them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from settings.errors import SettingsError
from settings.expectation import did_you_mean, expectation
from settings.load import read_json_object
from settings.server import ServerSettings

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

# what a deployment may set otherwise than the server: all that is about its model, and none of what is about the port
OWN_SETTINGS = (
    "device",
    "precision",
    "force_precision",
    "runtime",
    "cpu_threads",
    "max_batch_images",
    "max_batch_pixels",
    "max_delay_ms",
    "queue_limit_ms",
    "request_timeout_ms",
    "max_image_bytes",
    "max_image_pixels",
    "scaled_decode",
    "max_images",
    "bad_images",
    "inference_parameters",
    "strict_settings",
)

Percent = Annotated[float, Field(ge=0, le=100)]
Name = Annotated[str, Field(pattern=NAME)]


class Deployment(BaseModel):
    """A model folder, or a registered model by name and version, and what is set otherwise for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: Path | None = Field(None, description="The model folder.")
    name: str | None = Field(None, description="Instead of a folder: a registered model, NAME or NAME@VERSION.")
    settings: dict[str, Any] = Field({}, description="Server settings that are different for this deployment.")

    @model_validator(mode="after")
    def _names_one_model(self) -> "Deployment":
        if (self.model is None) == (self.name is None):
            raise ValueError('expected either "model", a folder, or "name", a registered model')
        return self


class Plan(BaseModel):
    """All deployments, and what percentage of requests each gets: of `traffic` to answer, of `mirror` as a copy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    deployments: dict[Name, Deployment] = Field(min_length=1)
    traffic: dict[str, Percent] = {}
    mirror: dict[str, Percent] = {}

    @model_validator(mode="after")
    def _shares_add_up(self) -> "Plan":
        for name in (*self.traffic, *self.mirror):
            if name not in self.deployments:
                raise ValueError(f"there is no deployment {name!r}{did_you_mean(name, self.deployments) or '.'}")
        total = sum(self.traffic.values())
        if abs(total - 100) > 1e-6:
            raise ValueError(f"the percentages of traffic add up to {total:g}; expected 100")
        return self


def single(name: str, deployment: Deployment) -> Plan:
    """Return the plan of a server of one model."""
    return Plan(deployments={name: deployment}, traffic={name: 100})


def read_plan(content: Mapping[str, Any], source: str) -> Plan:
    """Check a plan; SettingsError where it is none. A single deployment gets all traffic without being told to."""
    deployments = content.get("deployments")
    if "traffic" not in content and isinstance(deployments, dict) and len(deployments) == 1:
        content = {**content, "traffic": dict.fromkeys(deployments, 100)}
    try:
        return Plan.model_validate(content)
    except ValidationError as error:
        raise SettingsError(" ".join(f"{source}: {_sentence(item)}" for item in error.errors())) from None


def load_plan(file: Path) -> Plan:
    """Read a plan from a JSON file, in which folders are relative to the file's; SettingsError where it is none."""
    plan = read_plan(read_json_object(file), str(file))
    return plan.model_copy(
        update={
            "deployments": {
                name: one.model_copy(update={"model": file.parent / one.model}) if one.model is not None else one
                for name, one in plan.deployments.items()
            }
        }
    )


def own_settings(server: ServerSettings, deployment: Deployment, source: str) -> ServerSettings:
    """Return the server's settings with those of a deployment; SettingsError where one does not fit."""
    for key in deployment.settings:
        if key not in OWN_SETTINGS:
            fixed = key in ServerSettings.model_fields
            why = "is the same for all deployments" if fixed else "is not known"
            raise SettingsError(f"{source}: the setting {key!r} {why}.{did_you_mean(key, OWN_SETTINGS)}")
    try:
        return ServerSettings.model_validate({**server.model_dump(), **deployment.settings})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        value = deployment.settings.get(name)
        raise SettingsError(f"{source}: {name!r} is {value!r}; expected {expectation(ServerSettings, name)}.") from None


def _sentence(item: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in item["loc"])
    reason = str(item.get("ctx", {}).get("error", item["msg"]))
    return f"{place}: {reason}." if place else f"{reason[0].upper()}{reason[1:].rstrip('.')}."
