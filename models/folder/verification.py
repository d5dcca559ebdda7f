"""Verifying: compares the hashes of a folder's files with those that registering wrote into the manifest."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from models.errors import ModelError
from models.folder.manifest import MANIFEST
from models.folder.opened import OpenedFolder


def verify(files: OpenedFolder) -> None:
    """Compare a registered folder with its manifest, before any other file is parsed.

    ModelError names the files that differ. Folders whose manifest holds no hashes pass.
    """
    manifest, place = files.manifest, files.folder.manifest
    if place is None or manifest is None or not manifest.files:
        return
    home, promised = place.parent, manifest.files

    def added(used: Iterable[Path]) -> list[str]:
        return [name for name in (os.path.relpath(file, home) for file in used) if name not in promised]

    wrong = [
        name for name, digest in promised.items() if not (home / name).is_file() or files.sha256(home / name) != digest
    ]
    wrong += added(files.folder.used)  # a settings.json that came later would change the scores unnoticed
    wrong = wrong or added(files.shards)
    if wrong:
        raise ModelError(
            f"{home} is not as it was registered: {', '.join(wrong[:5])} missing, added or changed. "
            "Register the model again."
        )


def hashes(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below `folder` by relative path, without the manifest."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != folder / MANIFEST)
    return {str(file.relative_to(folder)): sha256(file) for file in files}


def sha256(file: Path) -> str:
    """Return the hash of a file in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
