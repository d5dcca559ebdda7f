"""Paths of data in job files: files and folders of this machine, and references to the hosted service's stores."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from settings.errors import SettingsError
from settings.excerpt import excerpt, shortened
from settings.expectation import did_you_mean

# azureml://[subscriptions/S/resourcegroups/R/workspaces/W/]datastores/D/paths/P
_DATASTORE = re.compile(r"azureml://(?:[^?]*/)?datastores/(?P<root>[^/]+)/paths/(?P<path>.*)", re.IGNORECASE)
_OLD_DATASTORE = re.compile(r"amldatastore://(?P<root>[^/]+)/(?P<path>.*)", re.IGNORECASE)
_ASSET = re.compile(r"azureml:(?P<root>[^:@/]+)(?:[:@][^/]*)?(?P<path>)", re.IGNORECASE)
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def data_path(written: str, home: Path, roots: Mapping[str, str], place: str) -> Path:
    """Return the file or folder that `written` means, relative to `home`.

    References to datastores and data assets of the hosted service lie under the folders in `roots`, by their names.
    SettingsError, which begins with `place`, where it means none that exists on this machine.
    """
    for form in (_DATASTORE, _OLD_DATASTORE, _ASSET):
        if match := form.fullmatch(written):
            return _below_root(written, match["root"], match["path"], roots, place)
    local = written.removeprefix("file://")
    if _REMOTE.match(local):
        raise SettingsError(
            f"{place} is {excerpt(written)}, which is not on this machine. Download the file and give its path; the "
            "images that it names may stay where they are."
        )
    path = home / local
    for candidate in (path, home / unquote(local)):
        if _exists(candidate):
            return candidate
    where = shortened(str(path), 300)
    raise SettingsError(f"{place} is {excerpt(written)}, but {where} does not exist. Paths start at the job file.")


def _below_root(written: str, root: str, inner: str, roots: Mapping[str, str], place: str) -> Path:
    if root not in roots:
        raise SettingsError(
            f"{place} is {excerpt(written)}, which the hosted service keeps. Copy it to this machine and name the "
            f"folder in the job file, as roots: {{{root}: FOLDER}}, or give a path.{did_you_mean(root, roots)}"
        )
    for candidate in (Path(roots[root], inner), Path(roots[root], unquote(inner))):
        if _exists(candidate):
            return candidate
    raise SettingsError(f"{place} is {excerpt(written)}, but {Path(roots[root], inner)} does not exist.")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name, or one that no file can have
        return False
