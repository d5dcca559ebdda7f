"""Registering: copies a model folder, proves that it can be served, describes it and publishes it."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from models.assembly import assemble
from models.definition import Definition
from models.errors import ModelError
from models.folder.layout import ModelFolder, locate
from models.folder.leftovers import leftovers
from models.folder.manifest import MANIFEST, Manifest
from models.folder.opened import OpenedFolder
from models.folder.registry import Registered, check_name, incoming, now, publish
from models.folder.verification import hashes, verify
from settings.errors import SettingsError


def register(source: Path, root: Path, name: str, version: int | None = None) -> Registered:
    """Copy `source` into `root` as NAME/VERSION with a manifest; ModelError or SettingsError where it cannot be served.

    A source that is registered already is verified first.
    The version becomes visible only when it is complete, whatever interrupts the copying.
    """
    check_name(name)
    if version is not None and version < 1:
        raise ModelError(f"The version is {version}; expected a whole number of at least 1.")
    folder = locate(source)
    if source.is_dir() and root.resolve().is_relative_to(source.resolve()):
        raise ModelError(
            f"The model root {root} lies inside {source}, which would be copied into itself. Name another."
        )
    with OpenedFolder(folder) as files:
        verify(files)
    with incoming(root) as place:
        content = place / "content"
        _copy(source, folder, content)
        definition = _served(content, folder.root)
        origin = files.manifest.origin if files.manifest is not None else {}
        return publish(content, root, _manifest(definition, content, name, version, origin=origin))


def _served(content: Path, source: Path) -> Definition:
    """Assemble the copy of `source` in `content`. What an error says of the copy, it says of the source."""
    try:
        return assemble(content, verified=True)[0]
    except (ModelError, SettingsError) as error:
        raise type(error)(str(error).replace(str(content), str(source))) from None


def _copy(source: Path, folder: ModelFolder, content: Path) -> None:
    if source.is_dir():
        try:
            shutil.copytree(source, content, ignore=leftovers)
        except shutil.Error as error:  # holds a list of (file, copy, reason)
            raise ModelError(f"{source} cannot be copied: {error.args[0][0][2]}. Mend or remove that file.") from None
        return
    content.mkdir()
    with OpenedFolder(folder) as files:
        used = files.used
    for file in (*used, source.with_name(MANIFEST)):
        if file.is_file():
            shutil.copy2(file, content)


def _manifest(
    definition: Definition, content: Path, name: str, version: int | None, *, origin: Mapping[str, str]
) -> Manifest:
    return Manifest(
        architecture=definition.architecture.name,
        labels=list(definition.labels),
        task=definition.task.name,
        name=name,
        version=version,
        created=now(),
        sizes=definition.sizes(),
        origin=dict(origin),
        files=hashes(content),
    )
