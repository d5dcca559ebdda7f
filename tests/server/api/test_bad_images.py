"""The three answers to an image that cannot be read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import http
from tests.support.contract import contract
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

FINE = encoded(painted(1, 90, 70), "JPEG")
BROKEN = FINE[: len(FINE) // 2]


@pytest.fixture(scope="module", params=["reject", "report", "drop"])
def server(request: pytest.FixtureRequest, fridge_folder: Path) -> Iterator[tuple[str, LiveServer]]:
    with LiveServer("--model", fridge_folder, env={"SIGHTGLASS_BAD_IMAGES": request.param}) as running:
        yield request.param, running


@contract(
    "Errors and bad images",
    "Unreadable images are left out without a word, so that a reply is shorter than its request",
    "better",
    "by default the request is refused, naming every bad position; `--bad-images drop` leaves them out",
)
def test_one_of_three(server: tuple[str, LiveServer]) -> None:
    policy, running = server
    reply = running.score([FINE, BROKEN, FINE])
    if policy == "reject":
        assert reply.status_code == 422
        assert "Position 1" in reply.json()["message"]
        return
    assert reply.status_code == 200
    kinds = ["error" if "error" in one else "scored" for one in reply.json()]
    assert kinds == (["scored", "error", "scored"] if policy == "report" else ["scored", "scored"])
    if policy == "report":
        assert reply.json()[1]["error"]["code"] == "image_unreadable"
        assert "damaged" in reply.json()[1]["error"]["message"]


def test_all_of_them(server: tuple[str, LiveServer]) -> None:
    policy, running = server
    reply = running.score([BROKEN, b"text"])
    if policy == "reject":
        assert reply.status_code == 422
    elif policy == "report":
        assert [set(one) for one in reply.json()] == [{"error"}, {"error"}]
    else:
        assert (reply.status_code, reply.json()) == (200, [])


@contract(
    "Errors and bad images",
    "Version 1: an unreadable image gives 200 and an empty body",
    "better",
    "422 with the reason; `drop` gives the empty body",
)
def test_version_1(server: tuple[str, LiveServer]) -> None:
    policy, running = server
    reply = http.post(running.url + "/score", content=BROKEN, headers={"content-type": "image/jpeg"})
    if policy == "reject":
        assert reply.status_code == 422
    elif policy == "report":
        assert set(reply.json()) == {"filename", "error"}
    else:
        assert (reply.status_code, reply.content) == (200, b"")


def test_bad_base64_is_a_bad_image(server: tuple[str, LiveServer]) -> None:
    policy, running = server
    reply = http.post(running.url + "/score", json={"input_data": {"columns": ["image"], "data": ["%%%"]}})
    expected = {"reject": 422, "report": 200, "drop": 200}
    assert reply.status_code == expected[policy]
    if policy == "drop":
        assert reply.json() == []
