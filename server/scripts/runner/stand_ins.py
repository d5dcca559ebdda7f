"""Stand-ins: the modules of the hosted service that scoring scripts import, whether it is installed here or not."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from server.scripts.runner.raw_request import AMLRequest
from server.scripts.runner.raw_response import AMLResponse

_PACKAGES = ("azureml.contrib.services", "azureml_inference_server_http.api")


class StandIns:
    """`aml_request` and `aml_response`, under both names that they have had. `raw` tells whether @rawhttp was used."""

    def __init__(self) -> None:
        self.raw = False

    def install(self) -> "StandIns":
        """Have imports find them, before whatever is installed; the packages around them only where none is."""
        contents: dict[str, dict[str, Any]] = {
            "aml_request": {"AMLRequest": AMLRequest, "rawhttp": self.rawhttp},
            "aml_response": {"AMLResponse": AMLResponse},
        }
        modules = {f"{package}.{name}": content for package in _PACKAGES for name, content in contents.items()}
        parts = [package.split(".") for package in _PACKAGES]
        around = {".".join(each[:length]) for each in parts for length in range(1, len(each) + 1)}
        sys.meta_path.insert(0, _Modules(modules))
        sys.meta_path.append(_EmptyPackages(around))
        return self

    def rawhttp(self, run: Any) -> Any:
        """Mark `run()` as one that takes a whole request and may return a whole response."""
        self.raw = True
        return run


class _Modules(MetaPathFinder, Loader):
    """Finds modules that hold what a mapping says."""

    def __init__(self, modules: dict[str, dict[str, Any]]) -> None:
        self._modules = modules

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self._modules else None

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self._modules[module.__name__])


class _EmptyPackages(MetaPathFinder):
    """Finds packages without anything in them."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, None, is_package=True) if name in self._names else None
