"""MapFolder: keeps the maps of one job, so that a summary that was killed goes on, and another of the job is quick."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.drawing.html_page import write_whole
from data.errors import DataError
from explain.summary.image_maps import ImageMaps
from settings.errors import SettingsError
from settings.excerpt import excerpt
from settings.json_file import JsonFile

_JOB = "job.json"


class MapFolder:
    """A folder with a file for each image, named by the hash of its bytes.

    job.json says by which model and how they were explained. A file is there whole or not at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def opened(self, job: Mapping[str, Any]) -> Iterator[None]:
        """Keep others from the folder within a `with` block.

        `job` is all that decides what the maps of an image are, as JSON. DataError where the folder is in use, or has
        maps of another job, or something else; OSError where it cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DataError(
                    f"{self.path} is in use by another process. Wait for it, or name another --output."
                ) from None
            self._take(job)
            yield

    def has(self, sha256: str) -> bool:
        """Return whether something is kept of an image."""
        return self._file(sha256).exists()

    def maps(self, sha256: str) -> ImageMaps | None:
        """Return what is kept of an image; None where there is nothing, or it is damaged."""
        try:
            return ImageMaps.from_bytes(self._file(sha256).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def keep(self, sha256: str, maps: ImageMaps) -> None:
        """Keep the maps of an image in place of those that are there."""
        file = self._file(sha256)
        file.parent.mkdir(exist_ok=True)
        write_whole(file, maps.to_bytes())

    def _file(self, sha256: str) -> Path:
        # in 256 folders: some file systems and many programs are slow where one holds a million files
        return self.path / sha256[:2] / f"{sha256}.npz"

    def _take(self, job: Mapping[str, Any]) -> None:
        file = self.path / _JOB
        if not file.exists():
            if others := [entry.name for entry in self.path.iterdir() if not entry.name.startswith(".")]:
                raise DataError(
                    f"{self.path} holds {excerpt(others[0])}, and no {_JOB}: it is no folder of maps. Name another "
                    "--output."
                )
            write_whole(file, json.dumps(job, indent=2).encode())
            return
        try:
            before = JsonFile.read(file).content
        except SettingsError as error:
            raise DataError(f"{error} Or remove the folder {self.path} to start anew.") from None
        names = dict.fromkeys((*before, *job))
        if changed := [name for name in names if before.get(name) != job.get(name)]:
            sentences = ", ".join(
                f"{name} was {excerpt(before.get(name))} and is {excerpt(job.get(name))}" for name in changed[:4]
            )
            raise DataError(
                f"{self.path} holds maps of another job: {sentences}. Name another --output, or remove the folder."
            )
