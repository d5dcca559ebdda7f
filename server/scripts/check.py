"""The dry run of a script behind `python -m server --check`: import it, run init() once, and say how it went."""

import asyncio
import time

from server.scripts.location import ScriptLocation
from server.scripts.worker import Worker, WorkerError
from settings.deployments import DeploymentSpec
from settings.errors import SettingsError
from settings.server import ServerSettings


def check_script(deployment: DeploymentSpec, settings: ServerSettings) -> str:
    """Return a report on a script; SettingsError where it cannot be hosted."""
    return asyncio.run(_report(ScriptLocation.of(deployment, settings), settings))


async def _report(place: ScriptLocation, settings: ServerSettings) -> str:
    started = time.monotonic()
    worker = Worker(place)
    try:
        found = await worker.start()
    except WorkerError as error:
        raise SettingsError(f"The script {place.script} cannot be hosted: {error}") from None
    finally:
        worker.kill()
        await worker.end()
    return "\n".join(
        [
            "script",
            f"  file          {place.script}",
            f"  run() takes   {found['takes']}",
            f"  python        {found['python']} ({place.python})",
            f"  runs in       {place.folder}",
            f"  imports from  {', '.join(map(str, place.imports))}",
            f"  model folder  {place.environment.get('AZUREML_MODEL_DIR', 'none')}",
            f"  init() once   well, {time.monotonic() - started:.1f} s with the start of Python",
            f"  processes     {settings.workers}",
        ]
    )
