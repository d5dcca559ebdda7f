"""The session folder: sockets, locks and metrics of a running server. Folders of killed servers are removed."""

import fcntl
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from settings.errors import SettingsError

logger = logging.getLogger(__name__)

_PREFIX = "sightglass_"
_MIN_AGE_S = 10.0  # the owner of a younger folder may not have locked it yet
_LONGEST_SOCKET_NAME = "engine-9999-99.decode-worker-99"
_MAX_SOCKET_PATH = 107  # bytes that kernels accept


@contextmanager
def session_folder() -> Iterator[Path]:
    """Create a private folder, and remove it at the end. First remove the folders of processes that were killed.

    The owner holds a lock on its folder, which the kernel releases when the process ends in any way. Raises
    SettingsError where there is no folder for temporary files, or its path is too long for sockets.
    """
    try:
        parent = Path(tempfile.gettempdir())
    except OSError as error:
        raise SettingsError(
            f"There is no folder for sockets and metrics: {error.strerror}. Free space in /tmp, or set TMPDIR to a "
            "folder that can be written to."
        ) from None
    if len(os.fsencode(parent / (_PREFIX + 8 * "x") / _LONGEST_SOCKET_NAME)) > _MAX_SOCKET_PATH:
        raise SettingsError(
            f"The path of the temporary folder {parent} is too long for sockets. Set TMPDIR to a shorter one, "
            "such as /tmp."
        )
    remove_abandoned(parent)
    try:
        made = tempfile.TemporaryDirectory(prefix=_PREFIX)
    except OSError as error:
        raise SettingsError(f"No folder can be made in {parent}: {error.strerror}. Mend that, or set TMPDIR.") from None
    with made as folder:
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(lock)


def remove_abandoned(parent: Path) -> None:
    """Remove this user's session folders in `parent` whose owner has ended."""
    for folder in parent.glob(_PREFIX + "*"):
        try:
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            if time.time() - status.st_mtime < _MIN_AGE_S:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:  # another server is removing it
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # its owner is running
        else:
            logger.info("removing the folder of a killed server folder=%s", folder)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
