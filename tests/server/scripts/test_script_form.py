"""What a script has to look like, and what is said of one that does not."""

import sys
from pathlib import Path

import pytest

from server.scripts.check import check_script
from settings.deployments import DeploymentSpec
from settings.errors import SettingsError
from settings.server import ServerSettings

INIT, RUN = "def init(): pass\n", "def run(data): return data\n"
DECORATED = """
from azureml.contrib.services.aml_request import rawhttp
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema

@rawhttp
@input_schema("data", StandardPythonParameterType([1]))
"""
HINT = f"Install it for {sys.executable}, which runs the script, or name a Python that has it by --script-python, such"
WRONG = {
    "init() raises": (f"{RUN}def init(): raise OSError('no model')", "it raised OSError: no model"),
    "init() exits": (f"{RUN}def init():\n    import sys; sys.exit(5)", "it raised SystemExit: 5"),
    "init() dies": (f"{RUN}def init():\n    import os; os._exit(5)", "ended with exit code 5"),
    "import": ("import no_such_package", f"it raised ModuleNotFoundError: No module named 'no_such_package'. {HINT}"),
    "hosted package": ("from azureml.core import Model", f"No module named 'azureml.core'. {HINT}"),
    "import in init()": (f"{RUN}def init(): import no_such.package", f"No module named 'no_such'. {HINT}"),
    "syntax": ("def run(:", "it raised SyntaxError"),
    "no init": (RUN, "it has no function init()"),
    "no run": (INIT, "it has no function run()"),
    "run is no function": (f"{INIT}run = 1", "it has no function run()"),
    "async run": (f"{INIT}async def run(data): pass", "its run() is `async`"),
    "no argument": (f"{INIT}def run(): pass", "its run() has no argument for the input"),
    "headers alone": (f"{INIT}def run(request_headers): pass", "its run() has no argument for the input"),
    "stars": (f"{INIT}def run(*data): pass", "its run() has *args"),
    "nameless": (f"{INIT}def run(data, /): pass", "its run() has *args, **kwargs or positional-only arguments"),
    "two": (f"{INIT}def run(a, b): pass", "its run() has several arguments, a and b."),
    "both decorators": (f"{INIT}{DECORATED}{RUN}", "decorated with both @rawhttp and @input_schema"),
}
FINE = {
    "text": (RUN, "the body as text"),
    "headers": ("def run(data, request_headers): pass", "the body as text"),
    "headers first": ("def run(request_headers, data, more=1): pass", "the body as text"),
    "raw": (f"{DECORATED.partition('@input')[0]}{RUN}", "a whole request"),
    "newer name": (
        f"from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp\n@rawhttp\n{RUN}",
        "a whole request",
    ),
    "parameters": (f"{DECORATED.replace('@rawhttp', '')}{RUN}", "the values of a JSON object: data"),
}


def report(folder: Path, text: str, name: str = "score.py") -> str:
    (folder / name).write_text(text)
    return check_script(DeploymentSpec(entry_script=folder / name), ServerSettings())


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        report(tmp_path, text)
    assert str(caught.value).startswith(f"The script {tmp_path / 'score.py'} cannot be hosted: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(("text", "takes"), FINE.values(), ids=FINE)
def test_every_form_of_run_is_understood(tmp_path: Path, text: str, takes: str) -> None:
    assert f"  run() takes   {takes}\n" in report(tmp_path, INIT + text)


@pytest.mark.parametrize("name", ["json.py", "two words.py", "start.py", "123.py"])
def test_a_script_may_have_any_name(tmp_path: Path, name: str) -> None:
    assert "init() once   well" in report(tmp_path, f"import json; json.dumps(1)\n{INIT}{RUN}", name)


def test_a_script_is_a_python_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"score.txt is no Python file. Expected a name that ends in .py"):
        report(tmp_path, INIT + RUN, "score.txt")
