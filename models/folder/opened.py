"""OpenedFolder: the files of a model folder, each opened once, so that what is hashed is what is parsed."""

import hashlib
import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from types import TracebackType

from models.errors import ModelError
from models.folder.layout import SUFFIXES, ModelFolder
from models.folder.manifest import Manifest, check_manifest
from settings.errors import SettingsError
from settings.json_file import JsonFile


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of weights that is held open. `path` is its name, for messages."""

    path: Path
    stream: BufferedReader

    @property
    def handle(self) -> str:
        """The path by which libraries open the file again while it is held open.

        On Linux it leads to the very file that was hashed, even if another file bears the name by now. It does not
        protect from a process that writes into that file. Systems without /proc open the file by its name.
        """
        held = f"/proc/self/fd/{self.stream.fileno()}"
        return held if os.path.exists(held) else str(self.path)  # noqa: PTH110 - follows the link only to look

    def starts_with(self, magic: bytes) -> bool:
        """Return whether these are the first bytes."""
        self.stream.seek(0)
        return self.stream.read(len(magic)) == magic

    def sha256(self) -> str:
        """Return the hash in hexadecimal."""
        self.stream.seek(0)
        return hashlib.file_digest(self.stream, "sha256").hexdigest()


class OpenedFolder:
    """The files of one model, each opened at most once.

    Small files are read into memory; hashes are those of the bytes that are parsed later. Files of weights are held
    open from their hashing to the end of the `with` block. All methods raise ModelError where a file cannot be read.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._contents: dict[Path, bytes] = {}
        self._weights: dict[Path, WeightsFile] = {}
        named = (folder.manifest, folder.index, folder.settings, folder.config, folder.mlmodel)
        self._small = {file for file in (*named, folder.processor, folder.joint_processor) if file is not None}

    def __enter__(self) -> "OpenedFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @cached_property
    def manifest(self) -> Manifest | None:
        """The manifest; None for a folder without one."""
        return check_manifest(self.json(self.folder.manifest)) if self.folder.manifest is not None else None

    @cached_property
    def shards(self) -> tuple[Path, ...]:
        """The files that the index lists, all beside it; none without an index. ModelError where it lists none."""
        if self.folder.index is None:
            return ()
        index = self.json(self.folder.index)
        try:
            names = set(index.content["weight_map"].values())
            files = tuple(sorted(index.path.with_name(Path(name).name) for name in names))
        except (KeyError, AttributeError, TypeError):
            files = ()
        if not files:
            raise ModelError(
                f'{index.path} lists no files of weights. Expected {{"weight_map": {{TENSOR: FILE, ...}}}}, as '
                "transformers writes it. Save the model again."
            )
        return files

    @property
    def used(self) -> tuple[Path, ...]:
        """All files that decide what the model says, except the manifest."""
        return (*self.folder.used, *self.shards)

    def content(self, file: Path) -> bytes:
        """Return the bytes of a small file."""
        if file not in self._contents:
            with _opened(file) as stream:
                self._contents[file] = stream.read()
        return self._contents[file]

    def json(self, file: Path) -> JsonFile:
        """Return the object in a small file; ModelError where it holds none."""
        try:
            return JsonFile.parse(file, self.content(file))
        except SettingsError as error:
            raise ModelError(str(error)) from None

    def weights(self, file: Path) -> WeightsFile:
        """Return a file of weights, held open."""
        if file not in self._weights:
            self._weights[file] = WeightsFile(file, self._stack.enter_context(_opened(file)))
        return self._weights[file]

    def sha256(self, file: Path) -> str:
        """Return the hash of any file of the folder in hexadecimal."""
        if file in self._small:
            return hashlib.sha256(self.content(file)).hexdigest()
        # the index that says which files are weights may not be parsed before all hashes are known to be right
        if file == self.folder.weights or (file.suffix in SUFFIXES and file.parent == self.folder.weights.parent):
            return self.weights(file).sha256()
        with _opened(file) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def _opened(file: Path) -> BufferedReader:
    try:
        return file.open("rb")
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}.") from None
