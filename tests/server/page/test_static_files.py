"""The files of the page: their names, their compressed forms, and what a browser may keep."""

import gzip
import re
from pathlib import Path

import pytest
from fastapi import Request, Response

from server.page.assets import Assets, page_assets
from server.static_files import CURRENT, StaticFile

CONTENT = b"const words = 'words words words words';" * 20


def reply(file: StaticFile, **headers: str) -> Response:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return file.response(Request({"type": "http", "headers": named}), CURRENT)


def folder(path: Path, **contents: bytes) -> Path:
    path.mkdir()
    (path / "index.html").write_bytes(b'<script src="{assets}/main.js"></script>')
    (path / "views").mkdir()
    for name, content in contents.items():
        (path / "views" / f"{name}.js").write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8", True),
        ("GZIP", True),
        ("", False),
        ("identity, gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br", False),
    ],
)
def test_a_file_is_compressed_for_those_who_take_that(accepted: str, compressed: bool) -> None:
    found = reply(StaticFile(CONTENT, "text/javascript"), accept_encoding=accepted)
    assert ("content-encoding" in found.headers) == compressed
    assert (gzip.decompress(found.body) if compressed else found.body) == CONTENT
    assert found.headers["vary"] == "accept-encoding"


def test_what_would_grow_is_not_compressed() -> None:
    found = reply(StaticFile(b"tiny", "text/plain"), accept_encoding="gzip")
    assert (found.body, "content-encoding" in found.headers) == (b"tiny", False)


def test_a_browser_that_has_a_file_gets_it_no_second_time() -> None:
    file = StaticFile(CONTENT, "text/javascript")
    for accepted in ("gzip", "identity"):
        tag = reply(file, accept_encoding=accepted).headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}'):
            again = reply(file, accept_encoding=accepted, if_none_match=known)
            assert (again.status_code, again.body, again.headers["etag"]) == (304, b"", tag)
    assert reply(file, accept_encoding="gzip").headers["etag"] != reply(file).headers["etag"]
    assert reply(file, if_none_match='"other"').status_code == 200


def test_any_change_moves_all_files_to_another_folder(tmp_path: Path) -> None:
    before = Assets(folder(tmp_path / "before", one=b"1", two=b"2"))
    assert Assets(folder(tmp_path / "equal", one=b"1", two=b"2")).edition == before.edition
    for number, others in enumerate(({"one": b"1", "two": b"3"}, {"one": b"12", "two": b""}, {"one": b"1"})):
        assert Assets(folder(tmp_path / str(number), **others)).edition != before.edition
    assert before.start.content == f'<script src="ui/{before.edition}/main.js"></script>'.encode()
    assert set(before.files) == {"views/one.js", "views/two.js"}


def test_every_file_that_the_page_names_is_there() -> None:
    assets = page_assets()
    start = assets.start.content.decode()
    below = f"ui/{assets.edition}/"
    assert "{assets}" not in start
    named = [each.removeprefix(below) for each in re.findall(r'(?:src|href)="([^"]+)"', start) if each != "docs"]
    for name, file in assets.files.items():
        if name.endswith(".js") and not name.startswith("vendor/"):
            imported = re.findall(r'(?:from|import) "(\.[^"]+)"', file.content.decode())
            named += [_within(name, each) for each in imported]
    assert [each for each in named if each not in assets.files] == []


def _within(importing: str, relative: str) -> str:
    return (Path("/") / importing).parent.joinpath(relative).resolve().as_posix().removeprefix("/")
