"""Registered models: NAME/VERSION folders under a model root, each complete, hashed and never changed."""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.errors import ModelError
from models.folder.manifest import MANIFEST, Manifest, read_manifest
from settings.expectation import did_you_mean

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_INCOMING = ".incoming-"


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of one registered model."""

    name: str
    version: int
    path: Path

    @property
    def manifest(self) -> Manifest:
        """The manifest that registering has written."""
        return read_manifest(self.path / MANIFEST)


def registered(root: Path, name: str | None = None) -> list[Registered]:
    """List the models that are registered under `root`, by name and version."""
    return sorted(
        (
            Registered(version.parent.name, int(version.name), version)
            for version in root.glob(f"{name or '*'}/*")
            if _NAME.fullmatch(version.parent.name) and version.name.isdecimal() and (version / MANIFEST).is_file()
        ),
        key=lambda model: (model.name, model.version),
    )


def look_up(root: Path, reference: str, version: str = "latest") -> Registered:
    """Find `NAME`, `NAME@VERSION` or `NAME@latest`; ModelError lists the models or versions that exist."""
    name, _, inner = reference.partition("@")
    wanted = inner or version
    versions = registered(root, check_name(name))
    if not versions:
        names = sorted({model.name for model in registered(root)})
        raise ModelError(
            f"No model {name!r} is registered in {root}. Registered: {', '.join(names) or 'none'}."
            f"{did_you_mean(name, names)}"
        )
    if wanted == "latest":
        return versions[-1]
    for model in versions:
        if str(model.version) == wanted:
            return model
    numbers = ", ".join(str(model.version) for model in versions)
    raise ModelError(f"The model {name!r} has no version {wanted!r}. Versions: {numbers}, or latest.")


def check_name(name: str) -> str:
    """Return `name` if it is a valid name of a model; ModelError otherwise."""
    if not _NAME.fullmatch(name):
        raise ModelError(f"{name!r} is no name for a model. Use letters, digits, '.', '_' and '-', up to 128 of them.")
    return name


@contextmanager
def incoming(root: Path) -> Iterator[Path]:
    """Yield a private folder inside `root`, which is removed afterwards; remove those of dead processes first."""
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root):  # nobody may take the new folder for a dead one before it is locked
        for leftover in root.glob(_INCOMING + "*"):
            _remove_if_dead(leftover)
        folder = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=root))
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def publish(content: Path, root: Path, manifest: Manifest) -> Registered:
    """Write the manifest into a finished folder and move the folder to its place in one step.

    A manifest without a version gets the next free number; ModelError where its version is taken.
    """
    name = str(manifest.name)
    parent = root / name
    with _locked(root):
        taken = [int(entry.name) for entry in parent.glob("*") if entry.name.isdecimal()]
        version = manifest.version or 1 + max(taken, default=0)
        final = manifest.model_copy(update={"version": version})
        (content / MANIFEST).write_text(final.model_dump_json(indent=2, exclude_none=True) + "\n")
        parent.mkdir(exist_ok=True)
        try:
            # a rename never replaces a folder that is not empty
            content.rename(parent / str(version))
        except OSError:
            raise ModelError(
                f"The model {name!r} already has a version {version}. Versions never change; give another number."
            ) from None
    return Registered(name, version, parent / str(version))


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_if_dead(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass  # its process is still copying
    finally:
        os.close(descriptor)
