"""A child of the supervisor is started again whatever ends it, and given up only if it was never ready."""

import asyncio
import logging
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
LONG_REASON = 'import sys\nprint("failed", \'"\' + "x" * 200_000 + \'"\', flush=True)\nsys.exit(3)'
FAIL_TWICE = "import sys\nprint('failed no JSON', flush=True)\nsys.stdin.read()"


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


def test_a_long_reason_is_kept() -> None:
    with pytest.raises(ChildError, match=r"^x{200000}$"):
        asyncio.run(until_ready(make_child(sys.executable, "-c", LONG_REASON)))


def test_a_process_that_is_not_ready_in_time_is_killed_and_given_up() -> None:
    child = make_child(sys.executable, "-c", "import sys; sys.stdin.read()", ready_within_s=0.3)
    with pytest.raises(ChildError, match=r"it was not ready within 0\.3 s"):
        asyncio.run(until_ready(child))
    assert not child.alive


def test_a_process_that_was_ready_in_time_may_run_for_longer() -> None:
    async def run() -> bool:
        child = make_child(sys.executable, "-c", "import sys; print('ready', flush=True); sys.stdin.read()")
        child.ready_within_s = 3
        child.start()
        await child.ready()
        await asyncio.sleep(4)
        alive = child.alive
        child.request_stop()
        await child.wait_stopped(10)
        return alive

    assert asyncio.run(run())


def test_an_error_while_a_process_is_watched_ends_the_process_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    child = make_child(sys.executable, "-c", FAIL_TWICE)
    with caplog.at_level(logging.ERROR), pytest.raises(ChildError, match="exit code -9"):
        asyncio.run(until_ready(child))
    assert "watching a process failed, ending it role='engine'" in caplog.text
    assert "JSONDecodeError" in caplog.text
    assert not child.alive
