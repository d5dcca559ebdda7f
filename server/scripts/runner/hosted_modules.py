"""HostedModules: replaces the modules of the hosted service that scoring scripts import, installed here or not."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from server.scripts.runner.raw_request import AMLRequest
from server.scripts.runner.raw_response import AMLResponse

_PACKAGES = ("azureml.contrib.services", "azureml_inference_server_http.api")


class HostedModules:
    """The modules `aml_request` and `aml_response` in both of their packages. `raw` is set once @rawhttp is used."""

    def __init__(self) -> None:
        self.raw = False

    def install(self) -> "HostedModules":
        """Make imports find these modules before installed ones, and their packages where none is installed."""
        contents: dict[str, dict[str, Any]] = {
            "aml_request": {"AMLRequest": AMLRequest, "rawhttp": self.rawhttp},
            "aml_response": {"AMLResponse": AMLResponse},
        }
        modules = {f"{package}.{name}": content for package in _PACKAGES for name, content in contents.items()}
        parts = [package.split(".") for package in _PACKAGES]
        parents = {".".join(each[:length]) for each in parts for length in range(1, len(each) + 1)}
        sys.meta_path.insert(0, _Modules(modules))
        sys.meta_path.append(_EmptyPackages(parents))
        return self

    def rawhttp(self, run: Any) -> Any:
        """Mark `run()` as a function that takes a whole request and may return a whole response."""
        self.raw = True
        return run


class _Modules(MetaPathFinder, Loader):
    """Finds modules whose contents are given as dicts."""

    def __init__(self, modules: dict[str, dict[str, Any]]) -> None:
        self._modules = modules

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self._modules else None

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self._modules[module.__name__])


class _EmptyPackages(MetaPathFinder):
    """Finds empty packages."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, None, is_package=True) if name in self._names else None
