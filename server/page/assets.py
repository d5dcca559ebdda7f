"""Assets: the files of the page, below a folder whose name changes with any of them."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

from server.static_files import MEDIA_TYPES, StaticFile

_STATIC = Path(__file__).parent / "static"
_START = "index.html"
_PLACE = b"{assets}"  # in the start page, where the folder of all other files goes


class Assets:
    """The files in `folder` by their paths within it, and `start`, the page that asks for them.

    `edition` is a hash of all paths and contents. The start page asks for every file below it: a file that refers to
    others by relative paths gets those of its own edition, and browsers keep all of them for ever.
    """

    def __init__(self, folder: Path) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in MEDIA_TYPES)
        contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
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
