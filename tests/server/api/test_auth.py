import logging
from pathlib import Path

import pytest
from prometheus_client import Gauge

from server.api.auth import Keys
from server.errors import ServiceError
from settings.errors import SettingsError
from tests.support import http
from tests.support.contract import contract
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer


def accepts(keys: Keys, authorization: str | None) -> bool:
    try:
        keys.check(authorization)
    except ServiceError as error:
        assert error.status == 401
        return False
    return True


def test_without_a_file_everybody_may_score() -> None:
    assert accepts(Keys(None), None)


@pytest.mark.parametrize(
    ("authorization", "accepted"),
    [
        ("Bearer first", True),
        ("bearer second", True),
        ("Bearer  second ", True),
        ("Bearer third", False),
        ("Bearer first second", False),
        ("Bearer", False),
        ("Basic first", False),
        ("first", False),
        ("", False),
        ("Bearer fir\u00e9t", False),
        ("Bearer \ud800\u20ac", False),
        (None, False),
    ],
)
def test_a_key_is_one_of_two(tmp_path: Path, authorization: str | None, accepted: bool) -> None:
    file = tmp_path / "keys"
    file.write_text("# primary, then secondary\nfirst\n\nsecond\n")
    assert accepts(Keys(file), authorization) is accepted


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "latin-1"])
def test_a_key_may_hold_any_letters(tmp_path: Path, encoding: str) -> None:
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    file = tmp_path / "keys"
    file.write_bytes(marks.get(encoding, b"") + "schl\u00fcssel\r\nsecond\r\n".encode(encoding))
    keys = Keys(file)
    # as the bytes that a client sends come from the HTTP server
    sent = ["Bearer " + "schl\u00fcssel".encode(each).decode("latin-1") for each in ("utf-8", "latin-1")]
    assert [accepts(keys, each) for each in sent] == ([False, True] if encoding == "latin-1" else [True, True])
    assert accepts(keys, "Bearer second")
    assert not accepts(keys, "Bearer schlussel")


def test_keys_are_read_again_when_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("old\n")
    keys = Keys(file)
    assert accepts(keys, "Bearer old")
    file.write_text("old\nnew\n")
    assert accepts(keys, "Bearer new")
    assert accepts(keys, "Bearer old")
    replacement = tmp_path / "other"  # as an editor or a mounted secret replaces it
    replacement.write_text("new\nxyz\n")
    replacement.replace(file)
    assert not accepts(keys, "Bearer old")
    assert accepts(keys, "Bearer xyz")


def test_a_broken_file_locks_nobody_out_and_lets_nobody_in(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("key\n")
    keys = Keys(file)
    file.write_text("")
    assert accepts(keys, "Bearer key")
    assert not accepts(keys, "Bearer ")
    file.unlink()
    assert accepts(keys, "Bearer key")


def test_an_unusable_file_is_told_once_and_shown_until_it_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, stale = tmp_path / "keys", Gauge("stale", "Whether keys are stale.", registry=None)
    file.write_text("key\n")
    keys = Keys(file, stale)
    seen = []
    for content in ("", "a\nb\nc\n", None, "key\n", "new\n"):
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content)
        caplog.clear()
        keys.check("Bearer new" if content == "new\n" else "Bearer key")
        keys.refresh()
        told = [record.levelname for record in caplog.records if record.levelno >= logging.WARNING]
        seen.append((stale._value.get(), told))
    assert seen == [(1, ["ERROR"])] * 3 + [(0, [])] * 2


@pytest.mark.parametrize(("content", "found"), [("", "0 keys"), ("a\nb\nc\n", "3 keys"), (None, "cannot be read")])
def test_an_unusable_file_is_refused_at_start(tmp_path: Path, content: str | None, found: str) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=found):
        Keys(file)


@contract("Routes, headers and life cycle", "`Authorization: Bearer KEY`, one of two keys; 401")
def test_keys_guard_scoring_and_nothing_else(tmp_path: Path, fridge_folder: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("one\ntwo\n")
    with LiveServer("--model", fridge_folder, "--keys-file", file) as server:
        fine = encoded(painted(1, 80, 80), "PNG")
        assert server.score([fine], headers={"authorization": "Bearer two"}).status_code == 200
        refused = server.score([fine])
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert refused.headers["www-authenticate"] == "Bearer"
        for path in ("/", "/health/live", "/health/ready", "/metrics", "/docs"):
            assert http.get(server.url + path).status_code == 200
        file.write_text("three\n")
        assert server.score([fine], headers={"authorization": "Bearer two"}).status_code == 401
        assert server.score([fine], headers={"authorization": "Bearer three"}).status_code == 200
        assert server.metric("sightglass_keys_stale", keys="scoring") == 0
        file.write_text("")
        assert server.metric("sightglass_keys_stale", keys="scoring") == 1
        assert server.metric("sightglass_keys_stale", keys="admin") == 0
