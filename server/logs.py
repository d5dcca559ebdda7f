"""The format of log lines: text for people or JSON for programs."""

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from io import TextIOWrapper
from typing import Literal

# what moves a cursor or begins a line: control characters, Unicode's line ends, and marks that turn the direction
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SEVERAL = re.compile(r'[\s"=]')


class _JsonFormatter(logging.Formatter):
    def __init__(self, facts: Mapping[str, str]) -> None:
        super().__init__()
        self._facts = facts

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": f"{_second(int(record.created))}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **self._facts,
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _TextFormatter(logging.Formatter):
    """Texts of clients, such as request ids, cannot begin a line or reach a terminal as control characters."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        self._facts = facts
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname).1s [%(process)d] %(name)s - %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return _second(int(record.created))

    def format(self, record: logging.LogRecord) -> str:
        facts = {**self._facts, **getattr(record, "facts", {})}
        line = super().format(record) + "".join([f" {key}={_quoted(value)}" for key, value in facts.items()])
        if line.isprintable():  # the usual case, and quicker to tell
            return line
        # only tracebacks have more lines: none of them looks like a line of the log
        return _CONTROLS.sub(_escape, line).replace("\n", "\n    ")


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _quoted(value: object) -> str:
    """Quote a text where it would look like several facts, or begin a line."""
    if isinstance(value, int | float):
        return str(value)
    value = str(value)
    if value and not _SEVERAL.search(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def escape_output() -> None:
    """Have standard output escape what it cannot encode, as standard error does, instead of raising an exception."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def configure_logs(log_format: Literal["text", "json"], level: str, **facts: str) -> None:
    """Send the log of this process to standard error. Every line has these facts, such as its deployment."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter(facts) if log_format == "json" else _TextFormatter(facts))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # RequestMiddleware logs each request and the supervisor logs starts and ends: uvicorn's lines would repeat both
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
