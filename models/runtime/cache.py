"""RuntimeCache: the files that runtimes made of a model, and which of them was the fastest here.

One folder per model, machine, arithmetic and versions, so that nothing in it can be out of date. The files are code in
all but name: the cache is refused where others may write to it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import torch

from models.definition import Definition
from models.errors import ModelError
from models.folder.verification import sha256
from models.runtime.runtime import ComputeOptions, available, processor

_CHOICE = "choice.json"
_KEPT = 8  # models whose files stay; each is about as large as its weights
_ENDED = 2  # processes, after which a runtime is no longer tried
_WRITABLE_BY_OTHERS = 0o022


class RuntimeCache:
    """What is remembered of one model. Not for several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, root: Path, definition: Definition, options: ComputeOptions) -> "RuntimeCache":
        """Open or make the folder of a model under `root`; ModelError where it is not private or cannot be made."""
        folder = root / _key(definition, options)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner, mode = root.stat().st_uid, root.stat().st_mode
        except OSError as error:
            raise ModelError(f"The cache folder {root} cannot be used: {error.strerror}. Name another.") from None
        if owner != os.getuid() or mode & _WRITABLE_BY_OTHERS:
            raise ModelError(f"The cache folder {root} can be written to by others. Name a private one, or: chmod 700.")
        return cls(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes that use this folder out; waits for them."""
        lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def chosen(self) -> tuple[str | None, dict[str, str]]:
        """Return the name of the runtime that was the fastest, None where that is not known, and what was said of all.

        Whoever asks is going to use it: it stays.
        """
        file = self.folder / _CHOICE
        try:
            choice = json.loads(file.read_text())
            file.touch()
            return str(choice["runtime"]), dict(choice["reasons"])
        except (OSError, ValueError, KeyError, TypeError):
            return None, {}

    def choose(self, name: str, reasons: Mapping[str, str]) -> None:
        """Remember the fastest runtime, and what is to be said of all; forget models that were not used for long."""
        part = self.folder / (_CHOICE + ".part")
        part.write_text(json.dumps({"runtime": name, "reasons": dict(reasons)}, indent=2) + "\n")
        part.replace(self.folder / _CHOICE)
        others = sorted(self.folder.parent.glob("*/" + _CHOICE), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in others[_KEPT:]:
            shutil.rmtree(old.parent, ignore_errors=True)

    @contextmanager
    def trying(self, runtime: str) -> Iterator[None]:
        """Remember for a while that a runtime is being tried, as it may take the whole process along.

        ModelError where it has done so twice; once may have been a server that was stopped just then.
        """
        ended = [note for note in self.folder.glob(f".trying-{runtime}-*") if _is_left(note)]
        if len(ended) >= _ENDED:
            notes = self.folder / f".trying-{runtime}-*"
            raise ModelError(f"the process ended {len(ended)} times while it was tried; to try again, remove {notes}")
        lock, name = tempfile.mkstemp(prefix=".note-", dir=self.folder)
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed, be it by the end of the process
        note = Path(name).rename(self.folder / Path(name).name.replace(".note", f".trying-{runtime}"))
        try:
            yield
        finally:
            for each in (note, *ended):
                each.unlink(missing_ok=True)
            os.close(lock)

    def drop(self, runtime: str) -> None:
        """Remove the files of a runtime."""
        shutil.rmtree(self.folder / runtime, ignore_errors=True)

    def forget(self) -> None:
        """Forget the choice, which did not hold."""
        (self.folder / _CHOICE).unlink(missing_ok=True)

    def files(self, runtime: str, convert: Callable[[Path], None]) -> Path:
        """Return the folder with the files of a runtime, made by `convert` in an empty one unless they are there."""
        place = self.folder / runtime
        if not place.is_dir():
            with tempfile.TemporaryDirectory(
                prefix=f".{runtime}-", dir=self.folder, ignore_cleanup_errors=True
            ) as part:
                made = Path(part) / "made"
                made.mkdir()
                convert(made)
                made.rename(place)
        return place


def _is_left(note: Path) -> bool:
    """Whether the process that wrote a note has ended; others, such as those of other engines, keep it locked."""
    try:
        lock = os.open(note, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _key(definition: Definition, options: ComputeOptions) -> str:
    files = [file for file in definition.used if file != definition.folder.settings]
    device = torch.cuda.get_device_name(options.device) if options.device.type == "cuda" else processor()
    parts = [
        *map(sha256, files),
        definition.architecture.name,
        len(definition.labels),
        definition.settings.values.model_dump_json(),
        device,
        options.precision.name,
        options.threads,
        version("sightglass"),
        torch.__version__,
        *(f"{name} {runtime.version()}" for name, runtime in sorted(available().items())),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
