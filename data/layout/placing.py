"""ImagePlacing: what a format needs to know of the files of images, and where they are from beside its own files."""

import os
import posixpath
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from data.encodings.turning import back, turned, turned_size
from data.errors import ImageUnavailableError
from data.format import PlacedImage, Size
from data.headers import image_header
from data.record import LabelledImage
from data.sources.address import LabelStudioAddress, LocalAddress, address_of
from data.sources.image_store import ImageStore

_UPRIGHT = 1


@dataclass(frozen=True, slots=True)
class PlacingNeeds:
    """What has to be known of each image: its `file`, its `size`.

    `from_turned` says whether labels are for images that are turned as their EXIF says, `to_turned` whether they are to
    be so.
    """

    file: bool
    size: bool
    from_turned: bool = False
    to_turned: bool = False


@dataclass(frozen=True, slots=True)
class _FoundFile:
    """Where an image is, its (width, height) as it is to be, its new URL, and the orientation to turn its labels by."""

    file: Path | None
    size: Size | None
    url: str
    turn: int = _UPRIGHT


class ImagePlacing:
    """Finds the images of a data set in `folder`, and gives them URLs that hold from the folder `target`."""

    def __init__(self, folder: Path, target: Path, needs: PlacingNeeds, store: ImageStore) -> None:
        self._folder, self._target, self._needs, self._store = folder, target.resolve(), needs, store
        self._stays = folder.resolve() == self._target
        self._turns = needs.from_turned != needs.to_turned
        self._found: dict[str, _FoundFile] = {}
        self._relative = lru_cache(maxsize=1024)(self._relative_folder)

    def place(self, image: LabelledImage) -> PlacedImage:
        """Return an image with its file, size and new URL; ImageUnavailableError where they are needed and missing."""
        if image.url not in self._found:
            self._found[image.url] = self._look(image)
        found = self._found[image.url]
        if not self._needs.file and found.url != image.url:
            image = replace(image, url=found.url)
        image = turned(image, found.turn)
        return PlacedImage(image, found.file, found.size or image.size)

    def _look(self, image: LabelledImage) -> _FoundFile:
        needs = self._needs
        is_needed = needs.file or (needs.size and image.size is None)
        try:
            address = address_of(image.url)
            # Remote ones are fetched only where something of them has to be known
            is_local = isinstance(address, (LocalAddress, LabelStudioAddress))
            file = self._store.file(image.url) if is_local or is_needed or self._turns else None
            if file is None or not (needs.size or self._turns):
                return _FoundFile(file, None, self._url(image.url, file))
            header = image_header(file)
        except ImageUnavailableError:
            if is_needed:
                raise
            return _FoundFile(None, None, self._url(image.url, None))
        turn = header.orientation if needs.to_turned else back(header.orientation)
        size = turned_size(header.size, header.orientation) if needs.to_turned else header.size
        return _FoundFile(file, size, self._url(image.url, file), turn if self._turns else _UPRIGHT)

    def _url(self, url: str, file: Path | None) -> str:
        """Return a URL that leads to the same image from the folder of the new file."""
        try:
            address = address_of(url)
        except ImageUnavailableError:
            return url
        if isinstance(address, LocalAddress):
            path = address.path
            if path.startswith("/") or "\0" in path:
                return url
            if file is None or file in (self._folder / path, self._folder / unquote(path)):
                folder, name = posixpath.split(path)
                return url if self._stays else self._joined(self._folder / folder, name)
        if isinstance(address, (LocalAddress, LabelStudioAddress)) and file is not None:
            return self._joined(file.parent, file.name)
        return url

    def _joined(self, folder: Path, name: str) -> str:
        relative = self._relative(folder)
        return name if relative == "." else f"{relative}/{name}"

    def _relative_folder(self, folder: Path) -> str:
        return Path(os.path.relpath(folder.resolve(), self._target)).as_posix()
