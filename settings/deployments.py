"""Deployments: the models that one server holds by name, and the shares of requests that they get."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from settings.errors import SettingsError
from settings.excerpt import excerpt, shortened
from settings.expectation import did_you_mean, expectation
from settings.json_file import JsonFile
from settings.server import NAME, ServerSettings

# What a deployment may set in place of the server: everything about its model or script, nothing about the port
_OF_MODELS = (
    "device",
    "precision",
    "force_precision",
    "runtime",
    "cpu_threads",
    "max_batch_images",
    "max_batch_pixels",
    "max_delay_ms",
    "queue_limit_ms",
    "start_timeout_ms",
    "request_timeout_ms",
    "max_image_bytes",
    "max_image_pixels",
    "scaled_decode",
    "max_images",
    "bad_images",
    "inference_parameters",
    "strict_settings",
)
_OF_SCRIPTS = (
    "script_python",
    "workers",
    "scoring_timeout_ms",
    "queue_limit_ms",
    "start_timeout_ms",
    "request_timeout_ms",
)
_MOST_ERRORS = 5  # told in one message
_FOLDERS = ("model_dir", "app_root", "source_dir")

Percent = Annotated[float, Field(ge=0, le=100)]
Name = Annotated[str, Field(pattern=NAME)]


class DeploymentSpec(BaseModel):
    """A model folder, a registered model by name and version, or a script; and settings for it alone."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: Path | None = Field(None, description="The model folder.")
    name: str | None = Field(None, description="Instead of a folder: a registered model, NAME or NAME@VERSION.")
    entry_script: Path | None = Field(None, description="Instead of a model: a scoring script.")
    model_dir: Path | None = Field(None, description="The folder that a script finds its model in.")
    app_root: Path | None = Field(None, description="The folder that a script runs in and imports from.")
    source_dir: Path | None = Field(None, description="A further folder that a script imports from.")
    settings: dict[str, Any] = Field({}, description="Server settings that are different for this deployment.")

    @property
    def kind(self) -> Literal["model", "script"]:
        """What the deployment serves."""
        return "model" if self.entry_script is None else "script"

    @model_validator(mode="after")
    def _names_one_thing(self) -> "DeploymentSpec":
        if sum(each is not None for each in (self.model, self.name, self.entry_script)) != 1:
            raise ValueError(
                'expected either "model", a folder, or "name", a registered model, or "entry_script", a script'
            )
        for folder in _FOLDERS:
            if self.kind == "model" and getattr(self, folder) is not None:
                raise ValueError(f'"{folder}" goes with "entry_script", and there is none')
        return self

    def relative_to(self, home: Path) -> "DeploymentSpec":
        """Return it with relative paths taken from `home`."""
        paths = {name: getattr(self, name) for name in ("model", "entry_script", *_FOLDERS)}
        return self.model_copy(update={name: home / path for name, path in paths.items() if path is not None})


class Plan(BaseModel):
    """All deployments and their percentages of requests: `traffic` to answer, `mirror` as copies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    deployments: dict[Name, DeploymentSpec] = Field(min_length=1)
    traffic: dict[str, Percent] = {}
    mirror: dict[str, Percent] = {}

    @model_validator(mode="after")
    def _shares_add_up(self) -> "Plan":
        for name in (*self.traffic, *self.mirror):
            if name not in self.deployments:
                raise ValueError(f"there is no deployment {excerpt(name)}{did_you_mean(name, self.deployments) or '.'}")
        for name in self.mirror:
            if self.deployments[name].kind == "script":
                raise ValueError(f"the deployment {excerpt(name)} is a script, and only models get copies of requests")
        total = sum(self.traffic.values())
        if abs(total - 100) > 1e-6:
            raise ValueError(f"the percentages of traffic add up to {total:g}; expected 100")
        return self


def single(name: str, deployment: DeploymentSpec) -> Plan:
    """Return the plan of a server with one model or script."""
    return Plan(deployments={name: deployment}, traffic={name: 100})


def read_plan(content: Mapping[str, Any], source: str) -> Plan:
    """Check a plan; SettingsError where it does not fit. A single deployment gets all traffic by default."""
    deployments = content.get("deployments")
    if "traffic" not in content and isinstance(deployments, dict) and len(deployments) == 1:
        content = {**content, "traffic": dict.fromkeys(deployments, 100)}
    try:
        return Plan.model_validate(content)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        sentences = [f"{source}: {_sentence(item)}" for item in errors[:_MOST_ERRORS]]
        if more := len(errors) - len(sentences):
            sentences.append(f"There are {more} more such errors.")
        raise SettingsError(" ".join(sentences)) from None


def load_plan(file: Path) -> Plan:
    """Read a plan from a JSON file, whose folder relative paths start at; SettingsError where it does not fit."""
    plan = read_plan(JsonFile.read(file).content, str(file))
    deployments = {name: each.relative_to(file.parent) for name, each in plan.deployments.items()}
    return plan.model_copy(update={"deployments": deployments})


def own_settings(server: ServerSettings, deployment: DeploymentSpec, source: str) -> ServerSettings:
    """Return the server's settings, replaced by those of a deployment; SettingsError where one does not fit."""
    own, others = (_OF_MODELS, _OF_SCRIPTS) if deployment.kind == "model" else (_OF_SCRIPTS, _OF_MODELS)
    for key in deployment.settings:
        if key not in own:
            fixed = key in ServerSettings.model_fields
            why = "is the same for all deployments" if fixed else "is not known"
            if key in others:
                why = f"means nothing for a {deployment.kind}"
            raise SettingsError(f"{source}: the setting {excerpt(key)} {why}.{did_you_mean(key, own)}")
    try:
        return ServerSettings.model_validate({**server.model_dump(), **deployment.settings})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        value = deployment.settings.get(name)
        raise SettingsError(
            f"{source}: {name!r} is {excerpt(value)}; expected {expectation(ServerSettings, name)}."
        ) from None


def _sentence(item: Mapping[str, Any]) -> str:
    place = shortened(".".join(str(part) for part in item["loc"]), 100)
    reason = shortened(str(item.get("ctx", {}).get("error", item["msg"])), 250)
    return f"{place}: {reason}." if place else f"{reason[0].upper()}{reason[1:].rstrip('.')}."
