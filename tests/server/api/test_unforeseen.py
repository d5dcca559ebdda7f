import asyncio
from pathlib import Path

import httpx
import pytest

from server.api.app import create_app
from server.api.state import AppState
from server.ipc.routing_table import RoutingTable
from settings.server import ServerSettings


def test_what_was_not_foreseen_is_said_as_json_without_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> str:
        raise UnicodeEncodeError("utf-8", "caf\udce9", 3, 4, "surrogates not allowed")

    async def started(state: AppState) -> None:
        pass

    monkeypatch.setattr("server.api.app.exposition", broken)
    app = create_app(ServerSettings(), RoutingTable(), tmp_path / "control", started)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
            return await client.get("/metrics", headers={"x-request-id": "odd-1"})

    reply = asyncio.run(ask())
    assert reply.status_code == 500
    assert reply.json() == {
        "message": "An unexpected error occurred. The server's log has the cause.",
        "code": "internal_error",
        "request_id": "odd-1",
    }
    assert "surrogates not allowed" in caplog.text
