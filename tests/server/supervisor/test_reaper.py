"""As process 1, the supervisor reaps the zombies of others and leaves its own children to the event loop."""

import subprocess
import sys

import pytest

# a subreaper inherits orphans as process 1 does
INHERIT = """
import asyncio, ctypes, sys
from server.supervisor.reaper import _zombies, reap_orphans

assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0

async def main():
    reaping = asyncio.create_task(reap_orphans())
    parent = "import subprocess, sys; subprocess.Popen(['sleep', '0.3']); sys.exit(7)"
    own = await asyncio.create_subprocess_exec(sys.executable, "-c", parent)
    codes = [await own.wait()]
    await asyncio.sleep(0.6)
    print("zombies:", len(list(_zombies())), flush=True)
    for _ in range(60):
        await asyncio.sleep(0.5)
        own = await asyncio.create_subprocess_exec(sys.executable, "-c", "import sys; sys.exit(8)")
        codes.append(await own.wait())
        if not list(_zombies()):
            break
    reaping.cancel()
    print("zombies:", len(list(_zombies())), "codes:", sorted(set(codes)))

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_orphans_are_reaped_and_exit_codes_of_children_kept() -> None:
    done = subprocess.run([sys.executable, "-c", INHERIT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["zombies: 1", "zombies: 0 codes: [7, 8]"], done.stderr
