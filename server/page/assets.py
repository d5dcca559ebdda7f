"""Assets: the files of the page, below a folder whose name changes with any of them."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

from server.page.joining import joined_script, joined_style
from server.static_files import MEDIA_TYPES, StaticFile

_STATIC = Path(__file__).parent / "static"
_START, _SCRIPT, _STYLE = "index.html", "main.js", "style.css"
_VENDOR = "vendor"  # its files are served byte by byte
_PLACE = b"{assets}"  # in the start page, where the folder of all other files goes


class Assets:
    """What a browser gets of `folder`: the start page, one script, one style sheet, and the files of others.

    `files` has them by their paths, and `start` asks for them below `edition`, a hash of all: so a browser never mixes
    two editions, and may keep them for ever. JoiningError as joining raises.
    """

    def __init__(self, folder: Path) -> None:
        vendored = (path for path in (folder / _VENDOR).iterdir() if path.suffix in MEDIA_TYPES)
        whole = sorted([folder / _START, *folder.glob("*.svg"), *vendored])
        contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in whole}
        contents[_SCRIPT] = joined_script(folder / _SCRIPT, folder / _VENDOR).encode()
        contents[_STYLE] = joined_style(folder / _STYLE).encode()
        self.edition = _hash(contents)
        page = contents.pop(_START).replace(_PLACE, f"ui/{self.edition}".encode())
        self.start = StaticFile(page, MEDIA_TYPES[".html"])
        self.files: Mapping[str, StaticFile] = {
            name: StaticFile(content, MEDIA_TYPES[Path(name).suffix]) for name, content in contents.items()
        }


@cache
def page_assets() -> Assets:
    """Return the files of the page at /ui, read once."""
    return Assets(_STATIC)


def _hash(contents: Mapping[str, bytes]) -> str:
    digest = sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
