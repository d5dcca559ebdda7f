"""From a command line and an environment to ServerSettings; each error names the flag or variable at fault."""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from settings.errors import SettingsError
from settings.expectation import did_you_mean, expectation
from settings.hosted import KEYS, Given, hosted_service, hosted_values
from settings.json_file import JsonFile
from settings.resolved import Resolved
from settings.server import ENV_PREFIX, ServerSettings
from settings.version import product_version

# The field that begins a group of flags in the help -> what the group is about
_GROUPS = {
    "config_file": "model",
    "deployments": "several models",
    "entry_script": "scoring script",
    "host": "network",
    "http_processes": "processes and devices",
    "max_batch_images": "batching, queueing and timeouts",
    "max_body_bytes": "limits of a request",
    "keys_file": "keys",
    "log_format": "logs",
    "page": "page",
    "drain_delay_ms": "stopping",
}
_EPILOG = f"""Each flag can also be set by an environment variable: --queue-limit-ms is {ENV_PREFIX}QUEUE_LIMIT_MS.

example:
  {{prog}} --model path/to/folder --port 8080 --keys-file keys --log-format json
"""
_SERVED = {"model", "name", "deployments", "entry_script"}  # a flag for one of them hides all others


def server_parser(prog: str, *, choices: bool = False) -> argparse.ArgumentParser:
    """Build a parser with a flag for each field of ServerSettings, in groups; an absent flag sets no attribute.

    With `choices`, the parser knows which words a flag takes, as a shell does that completes them. It refuses others
    itself then, where `load_server_settings` would say more.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        usage="%(prog)s [--flag VALUE ...]",
        description="Serve a model folder or a scoring script.",
        epilog=_EPILOG.format(prog=prog),
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("-V", "--version", action=_ProductVersion, help="Print the version of Sightglass and exit.")
    group = parser.add_argument_group()
    for name, field in ServerSettings.model_fields.items():
        if name in _GROUPS:
            group = parser.add_argument_group(_GROUPS[name])
        words = [str(word) for word in _choices(field.annotation)]
        unit = name.rpartition("_")[2].upper()
        option: dict[str, Any] = {"metavar": "{" + ",".join(words) + "}" if words else unit}
        if field.annotation is bool:
            option = {"action": argparse.BooleanOptionalAction}
        elif choices and words:
            option["choices"] = words
        default = default_text(name)
        text = f"{field.description} Default: {default}." if default not in ("", "none") else field.description
        group.add_argument(flag(name), dest=name, help=text, **option)
    return parser


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Begins the texts of most flags in one column, and leaves the lines of the example as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if isinstance(action, _ProductVersion):  # without the value, which it only takes to refuse it
            return ", ".join(action.option_strings)
        return super()._format_action_invocation(action)


class _ProductVersion(argparse.Action):
    """Prints the version of the product. A value is refused: it was meant for another flag."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs="?", metavar="", **options)

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, flag: str | None = None
    ) -> None:
        if values is not None:
            text = f"{flag} prints the version of Sightglass and takes no value, but {values!r} is given."
            parser.exit(2, f"error: {text} The version of a registered model is --model-version {values}.\n")
        print(f"sightglass {product_version()}")
        parser.exit()


def load_server_settings(given: Mapping[str, Any], env: Mapping[str, str]) -> Resolved[ServerSettings]:
    """Merge flags (`given`, by field name) over `env` over the config file over defaults.

    SettingsError where a value does not fit. Variables of the hosted service rank below our own; they also name the
    model or the script where nothing else does.
    """
    env = {key: value for key, value in env.items() if not _is_service_link(key, value)}
    file = given.get("config_file") or env.get(variable("config_file")) or env.get("AZUREML_CONFIG_FILE")
    content = JsonFile.read(Path(file)).content if file else {}
    merged = _given(content, f"{file}: ") | _given(env, "")
    if _SERVED & given.keys():
        hidden = _SERVED | {"model_version"} | (set() if "entry_script" in given else {"model_dir"})
        merged = {name: value for name, value in merged.items() if name not in hidden}
    merged |= {name: (value, flag(name)) for name, value in given.items()}
    merged |= hosted_service(merged, content | {key: value for key, value in env.items() if value})
    try:
        values = ServerSettings.model_validate({name: value for name, (value, _) in merged.items()})
    except ValidationError as error:
        raise SettingsError(" ".join(dict.fromkeys(_sentence(merged, item) for item in error.errors()))) from None
    sources = {name: merged[name][1] if name in merged else "default" for name in ServerSettings.model_fields}
    return Resolved(values, sources, _warnings(content, str(file), env))


def _given(values: Mapping[str, Any], place: str) -> Given:
    """Gather the values in an environment or in the content of a config file: field -> (value, where it stands)."""
    given: Given = {field: (value, f"{place}{key}") for field, value, key in hosted_values(values)}
    for name in ServerSettings.model_fields:
        for key in (name, variable(name)) if place else (variable(name),):
            if values.get(key) not in (None, ""):
                given[name] = (values[key], f"{place}{key}")
    return given


def _warnings(content: Mapping[str, Any], file: str, env: Mapping[str, str]) -> tuple[str, ...]:
    known = [variable(name) for name in ServerSettings.model_fields]
    unknown = [key for key in sorted(env) if key.startswith(ENV_PREFIX) and key not in known]
    keys = [*ServerSettings.model_fields, *known, *KEYS]
    return (
        *(f"The environment variable {key} is not known and is ignored.{did_you_mean(key, known)}" for key in unknown),
        *(
            f"{file}: the key {key!r} is not known and is ignored.{did_you_mean(key, keys)}"
            for key in content
            if key not in keys
        ),
    )


def _is_service_link(key: str, value: str) -> bool:
    # Kubernetes gives every pod variables such as SIGHTGLASS_PORT=tcp://... about a service named "sightglass"
    return value.startswith("tcp://") or re.fullmatch(ENV_PREFIX + r"(SERVICE_\w+|PORT_\d+_\w+)", key) is not None


def unknown_flags(words: Sequence[str]) -> str:
    """Return a sentence about command-line words that are no flags, with near matches."""
    known = [flag(name) for name in ServerSettings.model_fields]
    hints = "".join(did_you_mean(word.split("=")[0], known) for word in words if word.startswith("--"))
    return f"Unknown arguments: {' '.join(words)}.{hints}"


def flag(name: str) -> str:
    """Return the command-line flag of a field."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return ENV_PREFIX + name.upper()


def default_text(name: str) -> str:
    """Return a field's default as an operator would type it."""
    default = ServerSettings.model_fields[name].default
    if default is None:
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return ",".join(default) if isinstance(default, tuple) else str(default)


def _sentence(merged: Mapping[str, tuple[Any, str]], item: ErrorDetails) -> str:
    if not item["loc"]:
        text = str(item["ctx"]["error"])
        return f"{text[0].upper()}{text[1:]}."
    name = str(item["loc"][0])
    value, source = merged[name]
    return f"{source} is {value!r}; expected {expectation(ServerSettings, name)}."
