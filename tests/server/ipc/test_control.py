"""Orders to the supervisor: who may give them, and what a client hears of a server that is gone."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from server.errors import ServiceError
from server.ipc.control import send_command, serve_commands


async def _echo(verb: str, content: Mapping[str, Any]) -> Any:
    return [verb, dict(content)]


async def _sent(path: Path, allowed_pid: int) -> Any:
    commands = await serve_commands(path, _echo, lambda pid: pid == allowed_pid)
    try:
        return await send_command(path, "put", {"name": "x"})
    finally:
        commands.close()


def test_only_processes_that_are_allowed_are_answered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(_sent(tmp_path / "one", os.getpid())) == ["put", {"name": "x"}]
    with pytest.raises(ServiceError) as caught:
        asyncio.run(_sent(tmp_path / "other", os.getpid() + 1))
    assert caught.value.code == "draining"
    assert f"is ignored pid={os.getpid()}" in caplog.text


def test_a_server_that_is_gone_takes_no_orders(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="takes no more orders"):
        asyncio.run(send_command(tmp_path / "nothing", "list", {}))
