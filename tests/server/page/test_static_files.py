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


def folder(path: Path, **contents: str) -> Path:
    for name in ("views", "vendor", "style"):
        (path / name).mkdir(parents=True)
    (path / "index.html").write_text('<script src="{assets}/main.js"></script>')
    (path / "icon.svg").write_text("<svg/>")
    (path / "vendor/words.js").write_text("export const words = [];\n")
    imports = "".join(f'import {{ {name} }} from "./views/{name}.js";\n' for name in contents)
    (path / "main.js").write_text(f"{imports}console.log({', '.join(contents)});\n")
    (path / "style.css").write_text('@import "./style/one.css";\n')
    (path / "style/one.css").write_text("p { margin: 0 }\n")
    for name, content in contents.items():
        (path / "views" / f"{name}.js").write_text(f"export const {name} = {content};\n")
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
    before = Assets(folder(tmp_path / "before", one="1", two="2"))
    assert Assets(folder(tmp_path / "equal", one="1", two="2")).edition == before.edition
    for number, others in enumerate(({"one": "1", "two": "3"}, {"one": "12", "two": "2"}, {"one": "1"})):
        assert Assets(folder(tmp_path / str(number), **others)).edition != before.edition
    assert before.start.content == f'<script src="ui/{before.edition}/main.js"></script>'.encode()
    assert set(before.files) == {"icon.svg", "main.js", "style.css", "vendor/words.js"}


def test_every_file_that_the_page_names_is_there() -> None:
    assets = page_assets()
    start = assets.start.content.decode()
    below = f"ui/{assets.edition}/"
    assert "{assets}" not in start
    named = [each.removeprefix(below) for each in re.findall(r'(?:src|href)="([^"]+)"', start) if each != "docs"]
    named += [
        each.removeprefix("./") for each in re.findall(r'from "([^"]+)"', assets.files["main.js"].content.decode())
    ]
    assert [each for each in named if each not in assets.files] == []
    assert set(named) | {"vendor/lit-html.LICENSE.txt"} == set(assets.files)


def test_all_modules_and_styles_are_joined() -> None:
    static = Path("server/page/static")
    script, style = (page_assets().files[name].content.decode() for name in ("main.js", "style.css"))
    for module in static.rglob("*.js"):
        if module.parent.name != "vendor":
            exported = re.findall(r"^export (?:async )?(?:function|class|const) \w+", module.read_text(), re.M)
            assert [each for each in exported if each.removeprefix("export ") not in script] == [], module
    for sheet in static.glob("style/*.css"):
        assert sheet.read_text().splitlines()[-1] in style
