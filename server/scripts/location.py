"""ScriptLocation: the file of a script, the Python that runs it, and the folders and environment of its processes."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from settings.deployments import DeploymentSpec
from settings.errors import SettingsError
from settings.server import ServerSettings

_ROOT = Path(__file__).resolve().parent.parent.parent
_START = Path(__file__).resolve().parent / "runner" / "start.py"
# the folder of the server's metrics, to which a script with metrics of its own would write
_NOT_PASSED_ON = ("PROMETHEUS_MULTIPROC_DIR",)


@dataclass(frozen=True, slots=True)
class ScriptLocation:
    """A script whose files exist. Its processes run in `folder` and import from the folders `imports` first."""

    script: Path
    python: Path
    folder: Path
    imports: tuple[Path, ...]
    environment: Mapping[str, str]

    @classmethod
    def of(cls, deployment: DeploymentSpec, settings: ServerSettings) -> "ScriptLocation":
        """Locate the script of a deployment and its folders. Raises SettingsError where one does not exist."""
        script = _existing(deployment.entry_script or Path(), "entry script", Path.is_file)
        root = _existing(deployment.app_root or settings.app_root or script.parent, "app root", Path.is_dir)
        source, model = deployment.source_dir or settings.source_dir, deployment.model_dir
        variables = {"AZUREML_ENTRY_SCRIPT": script, "AML_APP_ROOT": root, "WORKER_COUNT": settings.workers}
        imports = [script.parent, root]
        if source is not None:
            imports.append(_existing(source, "source folder", Path.is_dir))
            variables["AZUREML_SOURCE_DIRECTORY"] = imports[-1]
        if model is not None:
            variables["AZUREML_MODEL_DIR"] = _existing(model, "folder of the script's model", Path.exists)
        python = Path(settings.script_python or sys.executable).absolute()
        if not os.access(python, os.X_OK):
            raise SettingsError(f"The Python for scripts, {python}, is not there or cannot be run.")
        return cls(script, python, root, tuple(dict.fromkeys(imports)), _environment(variables))

    def command(self, channel: int) -> list[str]:
        """Return the command of a worker that is connected to its pool by the socket with the number `channel`."""
        return [str(self.python), "-u", str(_START), str(channel), str(self.script), *map(str, self.imports)]


def _existing(path: Path, what: str, is_one: Callable[[Path], bool]) -> Path:
    if not is_one(path):
        raise SettingsError(f"The {what} {path} does not exist. Correct the path, or leave it out if it is optional.")
    return path.absolute()  # links stay: other files of the script may be beside the link


def _environment(variables: Mapping[str, object]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    # without the folder of the server's code, which scripts must not import
    paths = [path for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path and Path(path).resolve() != _ROOT]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), **{name: str(value) for name, value in variables.items()}}
