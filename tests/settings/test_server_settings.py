import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from settings.command import flag, load_server_settings, server_parser, unknown_flags, variable
from settings.describe import effective_values, model_settings_table, server_settings_table
from settings.errors import SettingsError
from settings.load import load_model_settings
from settings.model import SCHEMAS, ClassificationSettings, DetectionSettings, ModelSettings, YoloSettings
from settings.resolved import Resolved
from settings.server import ServerSettings
from tests.support.repository import ROOT

EMPTY = str(ROOT / "tests/support/empty.json")
# field -> default, and two other values with the text that gives them
FIELDS: dict[str, tuple[Any, tuple[str, Any], tuple[str, Any]]] = {
    "config_file": (None, (EMPTY, Path(EMPTY)), (EMPTY, Path(EMPTY))),
    "model": (None, ("fridge", Path("fridge")), ("/models/a b", Path("/models/a b"))),
    "model_root": (Path("model_root"), ("r", Path("r")), ("../r", Path("../r"))),
    "name": (None, ("fridge", "fridge"), ("fridge@2", "fridge@2")),
    "model_version": ("latest", ("2", "2"), ("17", "17")),
    "deployment_name": (None, ("fridge", "fridge"), ("a.b_c-1", "a.b_c-1")),
    "strict_settings": (False, ("true", True), ("1", True)),
    "deployments": (None, ("d.json", Path("d.json")), ("/etc/d.json", Path("/etc/d.json"))),
    "entry_script": (None, ("score.py", Path("score.py")), ("/a/score.py", Path("/a/score.py"))),
    "model_dir": (None, ("m", Path("m")), ("/var/m", Path("/var/m"))),
    "app_root": (None, ("app", Path("app")), ("/var/app", Path("/var/app"))),
    "source_dir": (None, ("src", Path("src")), ("/var/src", Path("/var/src"))),
    "script_python": (None, ("py", Path("py")), ("/env/bin/python", Path("/env/bin/python"))),
    "workers": (1, ("2", 2), ("256", 256)),
    "scoring_timeout_ms": (3_600_000, ("1", 1), ("5000", 5000)),
    "host": ("127.0.0.1", ("0.0.0.0", "0.0.0.0"), ("::1", "::1")),
    "port": (5001, ("0", 0), ("65535", 65535)),
    "health_port": (None, ("5000", 5000), ("0", 0)),
    "grpc_port": (None, ("8001", 8001), ("0", 0)),
    "max_connections": (4096, ("1", 1), ("1000000", 1_000_000)),
    "idle_timeout_ms": (75_000, ("1", 1), ("3600000", 3_600_000)),
    "cors_origins": ((), ("*", ("*",)), ("https://a.b, http://c", ("https://a.b", "http://c"))),
    "root_path": ("", ("/a", "/a"), ("/a/b/", "/a/b")),
    "forwarded_allow_ips": (("127.0.0.1", "::1"), ("*", ("*",)), ("10.0.0.0/8, fd00::1", ("10.0.0.0/8", "fd00::1"))),
    "swagger_title": ("ML service", ("fridge", "fridge"), ("a b", "a b")),
    "swagger_version": ("1.0", ("2", "2"), ("2.1", "2.1")),
    "swagger_prefix": ("", ("/a", "/a"), ("/a/b", "/a/b")),
    "http_processes": ("auto", ("2", 2), ("64", 64)),
    "device": (("auto",), ("cpu", ("cpu",)), ("cuda:0, cuda:11", ("cuda:0", "cuda:11"))),
    "decode_workers": ("auto", ("0", 0), ("4", 4)),
    "precision": ("fp32", ("bf16", "bf16"), ("tf32", "tf32")),
    "force_precision": (False, ("true", True), ("1", True)),
    "runtime": ("auto", ("eager", "eager"), ("openvino", "openvino")),
    "cache_folder": (None, ("cache", Path("cache")), ("/var/cache/sg", Path("/var/cache/sg"))),
    "cpu_threads": (0, ("1", 1), ("1024", 1024)),
    "max_batch_images": (0, ("1", 1), ("4096", 4096)),
    "max_batch_pixels": (0, ("1", 1), ("10000000", 10_000_000)),
    "max_delay_ms": (0, ("10", 10), ("3600000", 3_600_000)),
    "queue_limit_ms": (5000, ("0", 0), ("700", 700)),
    "start_timeout_ms": (600_000, ("1", 1), ("86400000", 86_400_000)),
    "request_timeout_ms": (30_000, ("1", 1), ("3600000", 3_600_000)),
    "max_body_bytes": (64 * 2**20, ("1", 1), ("2", 2)),
    "max_image_bytes": (32 * 2**20, ("1", 1), ("2", 2)),
    "max_image_pixels": (100_000_000, ("1", 1), ("2", 2)),
    "scaled_decode": (False, ("true", True), ("1", True)),
    "max_images": (256, ("1", 1), ("2", 2)),
    "bad_images": ("reject", ("report", "report"), ("drop", "drop")),
    "inference_parameters": (True, ("false", False), ("1", True)),
    "keys_file": (None, ("keys", Path("keys")), ("/run/keys", Path("/run/keys"))),
    "admin_keys_file": (None, ("keys", Path("keys")), ("/run/keys", Path("/run/keys"))),
    "log_format": ("text", ("json", "json"), ("json", "json")),
    "log_level": ("info", ("debug", "debug"), ("error", "error")),
    "page": ("on", ("off", "off"), ("on", "on")),
    "page_samples": (None, ("samples", Path("samples")), ("/srv/samples", Path("/srv/samples"))),
    "drain_delay_ms": (500, ("0", 0), ("1", 1)),
    "grace_period_ms": (25_000, ("0", 0), ("1", 1)),
}
MS, AT_LEAST_1 = "a whole number from 0 to 3600000", "a whole number of at least 1"
DEVICES = "auto, cpu, cuda or cuda:N, or several separated by commas"
# field -> what it accepts, in words, and texts that do not fit; fields without an entry take any text
WRONG: dict[str, tuple[str, list[str]]] = {
    "deployment_name": (
        "up to 64 letters, digits, '.', '_' and '-', the first a letter or digit",
        ["a b", "-a", "a/b", "x" * 65, "\u00e9"],
    ),
    "port": ("a whole number from 0 to 65535", ["-1", "65536", "http", "80.5", "0x50"]),
    "health_port": ("a whole number from 0 to 65535 or null", ["-1", "65536", "x"]),
    "grpc_port": ("a whole number from 0 to 65535 or null", ["-1", "65536", "x"]),
    "max_connections": ("a whole number from 1 to 1000000", ["0", "1000001", "many"]),
    "idle_timeout_ms": ("a whole number from 1 to 3600000", ["0", "3600001", "1m"]),
    "start_timeout_ms": ("a whole number from 1 to 86400000", ["0", "86400001", "soon"]),
    "cors_origins": ("*, or origins such as https://example.com separated by commas", ["example.com", "*,x"]),
    "root_path": ("a path such as /models/fridge, of letters, digits and . _ ~ @ + -", ["a", "//a", "/a/../b", "/a?"]),
    "forwarded_allow_ips": ("*, or addresses and networks such as 10.0.0.0/8 separated by commas", ["proxy", "1.2.3"]),
    "workers": ("a whole number from 1 to 256", ["0", "257", "auto"]),
    "scoring_timeout_ms": ("a whole number from 1 to 3600000", ["0", "3600001", "1s"]),
    "http_processes": ("a whole number from 1 to 64 or auto", ["0", "65", "two"]),
    "device": (DEVICES, ["gpu", "cuda:", "cuda:x", "cpu,", "cpu;cuda", "CPU"]),
    "decode_workers": ("a whole number from 0 to 64 or auto", ["-1", "65", "two"]),
    "precision": ("one of fp32, tf32, bf16, fp16, auto", ["fp64", "FP16", "32"]),
    "runtime": ("one of auto, eager, compiled, cuda_graphs, openvino", ["fast", "Eager"]),
    "cpu_threads": ("a whole number from 0 to 1024", ["-1", "1025", "all"]),
    "max_batch_images": ("a whole number from 0 to 4096", ["-1", "4097", "x"]),
    "max_batch_pixels": ("a whole number of at least 0", ["-1", "x"]),
    "max_delay_ms": (MS, ["-1", "3600001", "1s", "nan", "inf"]),
    "queue_limit_ms": (MS, ["-1", "3600001", "x"]),
    "request_timeout_ms": ("a whole number from 1 to 3600000", ["0", "3600001", "x"]),
    "max_body_bytes": (AT_LEAST_1, ["0", "64MB", "1e6"]),
    "max_image_bytes": (AT_LEAST_1, ["0", "-5", "x"]),
    "max_image_pixels": (AT_LEAST_1, ["0", "10000x10000"]),
    "max_images": ("a whole number from 1 to 65536", ["0", "65537", "many"]),
    "bad_images": ("one of reject, report, drop", ["Reject", "ignore"]),
    "log_format": ("one of text, json", ["JSON", "xml"]),
    "log_level": ("one of debug, info, warning, error", ["INFO", "trace"]),
    "page": ("one of on, off", ["ON", "yes"]),
    "drain_delay_ms": (MS, ["-1", "3600001", "x"]),
    "grace_period_ms": (MS, ["-1", "3600001", "x"]),
}
WRONG_TEXTS = [pytest.param(name, text, id=f"{name}-{text}") for name, (_, texts) in WRONG.items() for text in texts]


def parse(words: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Resolved[ServerSettings]:
    return load_server_settings(vars(server_parser("server").parse_args(words)), env or {})


def words_for(name: str, text: str) -> list[str]:
    if ServerSettings.model_fields[name].annotation is bool:
        return [flag(name) if text in ("true", "1") else flag(name).replace("--", "--no-")]
    return [flag(name), text]


def test_every_field_is_in_these_tables() -> None:
    assert list(FIELDS) == list(ServerSettings.model_fields)


@pytest.mark.parametrize("name", FIELDS)
def test_a_flag_wins_over_its_variable_and_that_over_the_default(name: str) -> None:
    default, (by_variable, from_variable), (by_flag, from_flag) = FIELDS[name]
    env = {variable(name): by_variable}

    nothing = parse()
    assert (getattr(nothing.values, name), nothing.sources[name]) == (default, "default")
    variables = parse((), env)
    assert (getattr(variables.values, name), variables.sources[name]) == (from_variable, variable(name))
    flags = parse(words_for(name, by_flag), env)
    assert (getattr(flags.values, name), flags.sources[name]) == (from_flag, flag(name))
    assert nothing.warnings == variables.warnings == flags.warnings == ()


@pytest.mark.parametrize(("name", "text"), WRONG_TEXTS)
def test_a_wrong_flag_is_named_with_value_and_expectation(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse([f"{flag(name)}={text}"])
    assert str(caught.value) == f"{flag(name)} is {text!r}; expected {WRONG[name][0]}."


@pytest.mark.parametrize(("name", "text"), [*WRONG_TEXTS, pytest.param("strict_settings", "perhaps", id="strict")])
def test_a_wrong_variable_is_named_with_value_and_expectation(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse((), {variable(name): text})
    expected = {"strict_settings": "true or false"}.get(name) or WRONG[name][0]
    assert str(caught.value) == f"{variable(name)} is {text!r}; expected {expected}."


def test_a_flag_hides_a_wrong_variable() -> None:
    assert parse(["--port", "80"], {"SIGHTGLASS_PORT": "http"}).values.port == 80


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(["--port", "x"], {"SIGHTGLASS_LOG_LEVEL": "loud"})
    assert "--port is 'x'" in str(caught.value)
    assert "SIGHTGLASS_LOG_LEVEL is 'loud'" in str(caught.value)


def test_the_boolean_flag_can_be_taken_back() -> None:
    assert parse(["--no-strict-settings"], {"SIGHTGLASS_STRICT_SETTINGS": "yes"}).values.strict_settings is False


def test_an_empty_variable_counts_as_absent() -> None:
    found = parse((), {variable(name): "" for name in FIELDS} | {"AZUREML_MODEL_DIR": ""})
    assert found.values == ServerSettings()
    assert set(found.sources.values()) == {"default"}


def test_an_unknown_variable_is_a_warning_with_near_matches() -> None:
    found = parse((), {"SIGHTGLASS_QUEUE_LIMIT": "5", "SIGHTGLASS_ZZZZ": "1", "OTHER_PORT": "x"})
    first, second = found.warnings
    assert first.startswith("The environment variable SIGHTGLASS_QUEUE_LIMIT is not known and is ignored.")
    assert "'SIGHTGLASS_QUEUE_LIMIT_MS'" in first
    assert second.startswith("The environment variable SIGHTGLASS_ZZZZ is not known")
    assert found.values == ServerSettings()


def test_unknown_flags_are_named_with_near_matches() -> None:
    _, words = server_parser("server").parse_known_args(["--port", "1", "--qeue-limit-ms=5", "--por", "4", "stray"])
    message = unknown_flags(words)
    for part in ("--qeue-limit-ms=5 --por 4 stray", "'--queue-limit-ms'", "'--port'"):
        assert part in message


def test_variables_that_kubernetes_sets_for_a_service_of_our_name_are_ignored() -> None:
    env = {
        "SIGHTGLASS_PORT": "tcp://10.0.0.1:5001",
        "SIGHTGLASS_SERVICE_HOST": "10.0.0.1",
        "SIGHTGLASS_SERVICE_PORT": "5001",
        "SIGHTGLASS_SERVICE_PORT_HTTP": "5001",
        "SIGHTGLASS_PORT_5001_TCP": "tcp://10.0.0.1:5001",
        "SIGHTGLASS_PORT_5001_TCP_PROTO": "tcp",
        "SIGHTGLASS_PORT_5001_TCP_PORT": "5001",
        "SIGHTGLASS_PORT_5001_TCP_ADDR": "10.0.0.1",
    }
    found = parse((), env)
    assert found.values == ServerSettings()
    assert found.warnings == ()
    assert parse((), {**env, "SIGHTGLASS_PORT": "80"}).values.port == 80


@pytest.mark.parametrize(
    ("env", "model"),
    [
        ({"AZUREML_MODEL_DIR": "/var/m"}, "/var/m"),
        ({"AZUREML_MODEL_DIR": "/var/m", "MLFLOW_MODEL_FOLDER": "mlflow-model"}, "/var/m/mlflow-model"),
        ({"MLFLOW_MODEL_FOLDER": "mlflow-model"}, None),
    ],
    ids=["folder", "folder and subfolder", "subfolder alone"],
)
def test_the_hosted_variables_name_the_model(env: dict[str, str], model: str | None) -> None:
    found = parse((), env)
    assert found.values.model == (None if model is None else Path(model))
    assert found.sources["model"] == ("default" if model is None else "AZUREML_MODEL_DIR")


def test_the_hosted_variables_give_way_to_our_own() -> None:
    hosted = {"AZUREML_MODEL_DIR": "/var/m"}
    assert parse(["--model", "mine"], hosted).values.model == Path("mine")
    assert parse((), hosted | {"SIGHTGLASS_MODEL": "mine"}).values.model == Path("mine")
    for found in (parse(["--name", "fridge"], hosted), parse((), hosted | {"SIGHTGLASS_NAME": "fridge"})):
        assert (found.values.model, found.values.name) == (None, "fridge")


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["--model", "m", "--name", "n"], {}),
        ([], {"SIGHTGLASS_MODEL": "m", "SIGHTGLASS_NAME": "n"}),
    ],
    ids=["flags", "variables"],
)
def test_a_folder_and_a_name_exclude_each_other(words: list[str], env: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="Both the model folder 'm' and the name 'n' are given"):
        parse(words, env)


def test_a_flag_for_the_model_replaces_all_variables_for_it() -> None:
    env = {"SIGHTGLASS_NAME": "n", "SIGHTGLASS_MODEL_VERSION": "3"}
    found = parse(["--model", "m"], env).values
    assert (found.model, found.name, found.model_version) == (Path("m"), None, "latest")
    found = parse(["--name", "other@2"], env | {"SIGHTGLASS_MODEL": "m"}).values
    assert (found.model, found.name, found.model_version) == (None, "other@2", "latest")
    found = parse(["--model-version", "4"], env).values
    assert (found.name, found.model_version) == ("n", "4")


def test_a_name_of_one_deployment_is_none_of_several() -> None:
    with pytest.raises(SettingsError, match=r"'d\.json' has names; leave the deployment name 'fridge' out"):
        parse(["--deployments", "d.json", "--deployment-name", "fridge"])


def test_a_version_is_given_once_and_the_name_is_quoted_as_typed() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(["--name", "Fridge@2", "--model-version", "3"])
    assert str(caught.value).startswith("The name 'Fridge@2' already holds a version")
    assert "'3'" in str(caught.value)


def test_help_has_every_flag_with_its_default() -> None:
    text = " ".join(server_parser("server").format_help().split())
    for name, field in ServerSettings.model_fields.items():
        assert flag(name) in text
        assert str(field.description) in text
    assert "Default: 5001." in text


def test_help_is_in_groups_with_choices_and_one_example() -> None:
    text = server_parser("sightglass serve").format_help()
    titles = re.findall(r"^([a-z][^\n]*):$", text, re.MULTILINE)
    assert titles == ["options", *(title for title in titles if title not in ("options", "example")), "example"]
    assert {"model", "scoring script", "network", "batching, queueing and timeouts", "limits of a request"} < {*titles}
    assert "--runtime {auto,eager,compiled,cuda_graphs,openvino}" in text
    assert "  -V, --version               Print the version" in text, "without a value"
    (example,) = re.findall(r"^  sightglass serve (.+)$", text, re.MULTILINE)
    assert server_parser("sightglass serve").parse_args(example.split()).port == "8080"


def test_a_parser_may_know_the_words_that_a_flag_takes() -> None:
    parser = server_parser("sightglass serve", choices=True)
    assert parser.parse_args(["--runtime", "eager", "--no-scaled-decode"]).runtime == "eager"
    with pytest.raises(SystemExit):
        parser.parse_args(["--runtime", "fast"])


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["--version", "--port", "x"]], ids=" ".join)
def test_version_is_that_of_the_product(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with pytest.raises(SystemExit) as caught:
        server_parser("server").parse_args(words)
    assert (caught.value.code, capsys.readouterr()) == (0, (f"sightglass {project['version']}\n", ""))


@pytest.mark.parametrize("words", [["--version", "3"], ["--version=3"], ["-V3"], ["--name", "n", "--version", "3"]])
def test_a_version_of_a_model_has_another_flag(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        server_parser("server").parse_args(words)
    written, error = capsys.readouterr()
    assert (caught.value.code, written) == (2, "")
    assert "takes no value, but '3' is given" in error and "--model-version 3" in error


def test_the_former_variable_of_a_version_is_unknown_and_the_new_one_is_named() -> None:
    (warning,) = parse((), {"SIGHTGLASS_VERSION": "3"}).warnings
    assert "'SIGHTGLASS_MODEL_VERSION'" in warning


def test_flags_are_never_abbreviated() -> None:
    assert server_parser("server").parse_known_args(["--hos", "x"])[1] == ["--hos", "x"]


def test_effective_values_list_name_value_and_source() -> None:
    words = ["--device", "cuda:0,cuda:1", "--strict-settings"]
    text = effective_values("server settings", parse(words, {"SIGHTGLASS_PORT": "80"}))
    title, *lines = text.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert title == "server settings"
    assert list(rows) == list(ServerSettings.model_fields)
    assert rows["port"] == ["80", "SIGHTGLASS_PORT"]
    assert rows["device"] == ["cuda:0,cuda:1", "--device"]
    assert rows["strict_settings"] == ["true", "--strict-settings"]
    assert rows["model"] == ["none", "default"]


def test_effective_values_of_model_settings() -> None:
    resolved = load_model_settings(DetectionSettings, checkpoint={"tile_grid_size": (3, 2)})
    rows = [line.split() for line in effective_values("model", resolved).splitlines()]
    assert ["tile_grid_size", "3,2", "checkpoint"] in rows
    assert ["box_score_thresh", "0.3", "default"] in rows


def cells(table: str) -> list[list[str]]:
    header, rule, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert all(len(row) == len(header) == len(rule) for row in rows)
    return rows


def test_the_table_of_server_settings_has_a_row_per_field() -> None:
    rows = {row[0]: row for row in cells(server_settings_table())}
    assert list(rows) == [f"`{flag(name)}`" for name in FIELDS]
    for name, (expected, _) in WRONG.items():
        assert rows[f"`{flag(name)}`"][1] == f"`{variable(name)}`"
        assert rows[f"`{flag(name)}`"][3] == expected.removesuffix(" or null")
    assert rows["`--port`"][2] == "`5001`"
    assert rows["`--device`"][2] == "`auto`"
    assert rows["`--keys-file`"][2:4] == ["`none`", "a path"]
    assert all(row[4] for row in rows.values())


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_tables_of_model_settings_have_a_row_per_key(schema: type[ModelSettings]) -> None:
    rows = {row[0].partition(",")[0]: row for row in cells(model_settings_table({"default": schema}))}
    assert list(rows) == [f"`{name}`" for name in schema.model_fields]
    assert all(row[1] and row[2] and row[3] for row in rows.values())


def test_the_table_of_classification_names_aliases_and_defaults() -> None:
    rows = [row[:3] for row in cells(model_settings_table({"default": ClassificationSettings}))]
    assert ["`valid_crop_size`, `crop_size`", "`224`", "a whole number from 1 to 8192"] in rows
    assert ["`train_crop_size`", "`224`", "a whole number from 1 to 8192"] in rows


def test_one_table_shows_where_the_defaults_of_several_kinds_differ() -> None:
    kinds: dict[str, type[ModelSettings]] = {"boxes": DetectionSettings, "yolov5": YoloSettings}
    rows = {row[0]: row[1:3] for row in cells(model_settings_table(kinds))}
    assert rows["`box_score_thresh`"] == ["`0.3`", "`0.1`"]
    assert rows["`min_size`"] == ["`600`", ""]
    assert rows["`model_size`"] == ["", "`medium`"]


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ServerSettings().port = 80  # type: ignore[misc]
