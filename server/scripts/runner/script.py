"""Script: imports a user's file with `init()` and `run()`, checks it, and calls it."""

import importlib.util
import inspect
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from inspect import Parameter
from pathlib import Path
from types import ModuleType
from typing import Any

from server.ipc.raw_http import RawReply, RawRequest
from server.scripts.runner.hosted_modules import HostedModules
from server.scripts.runner.inputs import headers_of, parameters_of, text_of
from server.scripts.runner.raw_request import AMLRequest
from server.scripts.runner.raw_response import reply_of

_HEADERS = "request_headers"
_NAMED = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_NO_INPUT = RawReply(headers=(("Content-Type", "text/html; charset=utf-8"),))


class ScriptError(Exception):
    """The script cannot be served. The text says why."""


class Script:
    """A script that can be called. `takes` describes the argument of `run()` in words."""

    def __init__(self, file: Path, hosted_modules: HostedModules) -> None:
        """Import the script. Raises ScriptError where it has not the right form, and whatever its own code raises."""
        module = _imported(file)
        self.init: Callable[[], Any] = _function(module, "init")
        self._run = _function(module, "run")
        parameters = list(inspect.signature(self._run).parameters.values())
        if any(parameter.kind not in _NAMED for parameter in parameters):
            raise ScriptError("its run() has *args, **kwargs or positional-only arguments. Name all of them.")
        self._takes_headers = any(parameter.name == _HEADERS for parameter in parameters)
        own = [parameter for parameter in parameters if parameter.name != _HEADERS]
        if not own:
            raise ScriptError("its run() has no argument for the input. Expected run(data).")
        self._raw = hosted_modules.raw
        self.takes, self._arguments = self._input(own)

    def _input(self, own: Sequence[Parameter]) -> tuple[str, Callable[[RawRequest], dict[str, Any]]]:
        decorated = _has_schema(self._run)
        if self._raw and decorated:
            raise ScriptError("its run() is decorated with both @rawhttp and @input_schema. Keep one of them.")
        if decorated:
            names = ", ".join(parameter.name for parameter in own)
            return f"the values of a JSON object: {names}", partial(parameters_of, parameters=own)
        first, *others = own
        if lacking := [parameter.name for parameter in others if parameter.default is Parameter.empty]:
            raise ScriptError(
                f"its run() has several arguments, {first.name} and {', '.join(lacking)}. Expected one for the body, "
                f"{_HEADERS} for the headers, or @input_schema for each of the others."
            )
        if self._raw:
            return "a whole request", lambda request: {first.name: AMLRequest(request)}
        return "the body as text", lambda request: {first.name: text_of(request)}

    def answer(self, request: RawRequest) -> RawReply:
        """Call `run()` on a request. Raises InputError where that is not possible, and whatever the script raises."""
        if request.method == "OPTIONS" and not self._raw:
            return _NO_INPUT
        arguments = self._arguments(request)
        if self._takes_headers:
            arguments[_HEADERS] = headers_of(request)
        started = time.perf_counter()
        result = self._run(**arguments)
        return reply_of(result, exec_ms=1000 * (time.perf_counter() - started))


def _imported(file: Path) -> ModuleType:
    # by its own name, so that processes that the script starts can import its objects
    name = file.stem
    if name in sys.modules or name in sys.stdlib_module_names:
        name = "entry_module"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{file} is no Python file. Expected a name that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(function):
        raise ScriptError(f"it has no function {name}().")
    if inspect.iscoroutinefunction(function):
        raise ScriptError(f"its {name}() is `async`. Expected an ordinary function.")
    return function


def _has_schema(run: Callable[..., Any]) -> bool:
    # a decorated function means that the script has imported the package
    schema_util = sys.modules.get("inference_schema.schema_util")
    return schema_util is not None and bool(schema_util.is_schema_decorated(run))
