"""The tables of docs/compatibility.md: behaviours that tests prove, and behaviours that do not apply here."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_TESTS = Path(__file__).parent.parent / "tests"

# In the order of the page
_PARTS = (
    "Requests",
    "Replies",
    "Errors and bad images",
    "Routes, headers and life cycle",
    "Explanations",
    "Images and boxes",
    "Tiles",
    "settings.json",
    "Checkpoints and model folders",
    "Scoring scripts",
)

_NOT_APPLICABLE = {
    "The front end of managed endpoints: 424 with `ms-azureml-model-error-*` headers, bandwidth limits": (
        "it runs in front of the container; a gateway can do the same in front of this server"
    ),
    "aml_token and aad_token": "tokens of a cloud's directory; this server checks keys, a gateway can check tokens",
    "WORKER_COUNT for models, WORKER_PRELOAD, WORKER_TIMEOUT": (
        "each worker there loads its own copy of the model; here one engine for each device batches all requests, and "
        "requests have deadlines. Scoring scripts have WORKER_COUNT workers"
    ),
    "Application Insights, model data collection": "metrics and log lines instead, for any collector",
    "AZUREML_DEBUG_PORT": "the server has no debugger",
    "SERVER_PORT": "the original overwrites it too",
    "`export_as_image` writes files beside the server": "the reply holds the mask instead",
    "labeled_dataset.json, predictions.txt": "the original writes them for each request, and nobody reads them",
    "python_model.pkl": "a pickle of the original's own classes; other files hold everything in it",
    "yolov5's limit of ten seconds for suppression": "suppression takes milliseconds; requests have deadlines",
}


class Line(NamedTuple):
    """A behaviour, how this server treats it (same or better), and the test that proves it, in a file below tests/."""

    part: str
    behaviour: str
    verdict: str
    why: str
    file: str


def lines() -> Iterator[Line]:
    """Yield the contract marks of all tests."""
    for file in sorted(_TESTS.rglob("test_*.py"), key=lambda file: file.name):
        tests = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
        for mark in (mark for test in tests for mark in test.decorator_list):
            if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "contract":
                part, behaviour, *verdict = [str(ast.literal_eval(word)) for word in mark.args]
                how, why = verdict or ("same", "")
                yield Line(part, behaviour, how, why, f"{file.relative_to(_TESTS)}")


def differences_table() -> str:
    """Return a table for each part, with a row for each behaviour that is better here."""
    return _tables("better", ("the hosted endpoint", "here, better"))


def same_table() -> str:
    """Return a table for each part, with a row for each behaviour that is the same here."""
    return _tables("same", ("the hosted endpoint, and here",))


def _tables(verdict: str, columns: Sequence[str]) -> str:
    parts, behaviours = [], [line for line in lines() if line.verdict == verdict]
    for part in _PARTS:
        rows = [
            " | ".join(["", line.behaviour, *([line.why] if line.why else []), f"[test](../tests/{line.file})", ""])
            for line in behaviours
            if line.part == part
        ]
        head = ["", *columns, "proof", ""]
        if rows:
            parts += [f"**{part}**", "", " | ".join(head), "|---" * (len(head) - 2) + "|", *rows, ""]
    return "\n".join(line.strip() for line in parts).strip()


def not_applicable_table() -> str:
    """Return a table with a row for each behaviour that does not apply here."""
    rows = [f"| {what} | {why} |" for what, why in _NOT_APPLICABLE.items()]
    return "\n".join(["| the hosted endpoint | why not here |", "|---|---|", *rows])


def parts() -> tuple[str, ...]:
    """Return the parts in their order."""
    return _PARTS
