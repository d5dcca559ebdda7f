"""A child of the supervisor is started again whatever ends it, and given up only if it was never ready."""

import asyncio
import sys
import time
from typing import Any

import pytest

from server.ipc.process_config import ProcessConfig
from server.supervisor.child import Child, ChildError, restart_pause_s
from settings.server import ServerSettings

LONG_LINE_THEN_READY = """
import sys
sys.stdout.write("x" * 200_000 + "\\nready\\n")
sys.stdout.flush()
sys.stdin.read()
"""


ALIVE_ONCE = """
import sys, time
print("ready", flush=True)
print("alive", flush=True)
time.sleep(3600)
"""


def make_child(*command: str, **options: Any) -> Child:
    return Child("engine", command, lambda: ProcessConfig(settings=ServerSettings()), **options)


async def until_ready(child: Child) -> None:
    child.start()
    try:
        await asyncio.wait_for(child.ready(), 30)
    finally:
        child.request_stop()
        await child.wait_stopped(10)


def test_pauses_between_starts_double_up_to_a_bound() -> None:
    assert [restart_pause_s(crashes) for crashes in (1, 2, 3, 10, 5000)] == [0.2, 0.4, 0.8, 10.0, 10.0]


def test_a_program_that_cannot_be_started_is_given_up_with_the_reason() -> None:
    with pytest.raises(ChildError, match=r"cannot be started: .*no-such-program"):
        asyncio.run(until_ready(make_child("/no-such-program")))


def test_a_child_that_falls_silent_is_killed_and_replaced() -> None:
    async def second_process() -> None:
        ended: list[int] = []
        child = make_child(sys.executable, "-c", ALIVE_ONCE, silence_s=1.5, ended=lambda child, pid: ended.append(pid))
        child.start()
        await child.ready()
        assert child.process is not None
        first, end = child.process.pid, time.monotonic() + 20
        while child.process is None or not child.alive or child.process.pid == first:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        assert ended == [first]
        child.request_stop()
        child.process.kill()
        await child.wait_stopped(10)

    asyncio.run(second_process())


def test_a_line_longer_than_the_buffer_is_skipped() -> None:
    asyncio.run(until_ready(make_child(sys.executable, "-c", LONG_LINE_THEN_READY)))
