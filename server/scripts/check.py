"""The dry run of a script for `python -m server --check`: imports it, runs init() once, and returns a report."""

import asyncio
import time

from server.scripts.location import ScriptLocation
from server.scripts.worker import Worker, WorkerError
from settings.deployments import DeploymentSpec
from settings.errors import SettingsError
from settings.server import ServerSettings


def check_script(deployment: DeploymentSpec, settings: ServerSettings) -> str:
    """Return a report on a script. Raises SettingsError where it cannot be served."""
    return asyncio.run(_report(ScriptLocation.of(deployment, settings), settings))


async def _report(location: ScriptLocation, settings: ServerSettings) -> str:
    started = time.monotonic()
    worker = Worker(location, settings.start_timeout_ms)
    try:
        facts = await worker.start()
    except WorkerError as error:
        raise SettingsError(f"The script {location.script} cannot be hosted: {error}") from None
    finally:
        worker.kill()
        await worker.end()
    return "\n".join(
        [
            "script",
            f"  file          {location.script}",
            f"  run() takes   {facts['takes']}",
            f"  python        {facts['python']} ({location.python})",
            f"  runs in       {location.folder}",
            f"  imports from  {', '.join(map(str, location.imports))}",
            f"  model folder  {location.environment.get('AZUREML_MODEL_DIR', 'none')}",
            f"  init() once   well, {time.monotonic() - started:.1f} s with the start of Python",
            f"  processes     {settings.workers}",
        ]
    )
