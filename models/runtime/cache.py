"""RuntimeCache: the files that runtimes converted a model to, and which runtime was the fastest here.

There is one folder per model, machine, arithmetic and versions, so nothing in it can be out of date. The files are code
in all but name: the cache is refused where others may write to it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import torch

from models.definition import Definition
from models.errors import ModelError
from models.folder.verification import sha256
from models.runtime.runtime import ComputeOptions, available, processor

_CHOICE = "choice.json"
_KEPT_MODELS = 8  # whose files stay; those of one are about as large as its weights
_MOST_CRASHES = 2  # of processes, after which a runtime is not attempted again
_WRITABLE_BY_OTHERS = 0o022


class RuntimeCache:
    """The files and the choice of a runtime for one model. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(
        cls, root: Path, definition: Definition, options: ComputeOptions, *, among: Sequence[str] = ()
    ) -> "RuntimeCache":
        """Open or create the folder of a model under `root`; ModelError where that fails or others may write there.

        `among` says what a choice is made of, where that is not all runtimes in the precision of `options`.
        """
        folder = root / _key(definition, options, among)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner, mode = root.stat().st_uid, root.stat().st_mode
        except OSError as error:
            raise ModelError(f"The cache folder {root} cannot be used: {error.strerror}.") from None
        if owner != os.getuid() or mode & _WRITABLE_BY_OTHERS:
            raise ModelError(f"The cache folder {root} can be written to by others. Use one inside it, or: chmod 700.")
        return cls(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for this process, waiting for others that use it."""
        lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def read_choice(self) -> tuple[str | None, dict[str, str]]:
        """Return the name of the fastest runtime, None where that is not known, and the reasons for or against each.

        Reading counts as a use: the models that were used last stay in the cache.
        """
        file = self.folder / _CHOICE
        try:
            choice = json.loads(file.read_text())
            file.touch()
            return str(choice["runtime"]), dict(choice["reasons"])
        except (OSError, ValueError, KeyError, TypeError):
            return None, {}

    def write_choice(self, name: str, reasons: Mapping[str, str]) -> None:
        """Store the fastest runtime and the reasons for or against each; remove the models used longest ago."""
        part = self.folder / (_CHOICE + ".part")
        part.write_text(json.dumps({"runtime": name, "reasons": dict(reasons)}, indent=2) + "\n")
        part.replace(self.folder / _CHOICE)
        others = sorted(self.folder.parent.glob("*/" + _CHOICE), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in others[_KEPT_MODELS:]:
            shutil.rmtree(old.parent, ignore_errors=True)

    @contextmanager
    def attempt(self, runtime: str) -> Iterator[None]:
        """Leave a note while a runtime is being tried, since a runtime may crash the whole process.

        ModelError where two processes have ended during an attempt; a single one may just have been stopped then.
        """
        crashed = [note for note in self.folder.glob(f".trying-{runtime}-*") if _is_abandoned(note)]
        if len(crashed) >= _MOST_CRASHES:
            notes = self.folder / f".trying-{runtime}-*"
            raise ModelError(f"the process ended {len(crashed)} times while it was tried; to try again, remove {notes}")
        lock, name = tempfile.mkstemp(prefix=".note-", dir=self.folder)
        fcntl.flock(lock, fcntl.LOCK_EX)  # held until it is closed, at the latest by the end of the process
        note = Path(name).rename(self.folder / Path(name).name.replace(".note", f".trying-{runtime}"))
        try:
            yield
        finally:
            for each in (note, *crashed):
                each.unlink(missing_ok=True)
            os.close(lock)

    def drop(self, runtime: str) -> None:
        """Remove the files of a runtime."""
        shutil.rmtree(self.folder / runtime, ignore_errors=True)

    def forget(self) -> None:
        """Remove the choice."""
        (self.folder / _CHOICE).unlink(missing_ok=True)

    def files(self, runtime: str, convert: Callable[[Path], None]) -> Path:
        """Return the folder with the files of a runtime; `convert` writes them if there are none."""
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


def _is_abandoned(note: Path) -> bool:
    """Whether the process that wrote a note has ended; a living one, such as another engine, keeps it locked."""
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


def _key(definition: Definition, options: ComputeOptions, among: Sequence[str]) -> str:
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
        *among,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
