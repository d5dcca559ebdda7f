"""The folder in which a running server keeps sockets, locks and metrics, and what killed servers left of theirs."""

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
_YOUNG_S = 10.0  # a folder may be so young that its owner has not locked it yet
_LONGEST_SOCKET = "engine-9999-99.decode-worker-99"
_MAX_PATH = 107  # bytes of a Unix socket's path that kernels accept


@contextmanager
def session_folder() -> Iterator[Path]:
    """Give a private folder for as long as this process lives; first remove those of processes that were killed.

    The owner holds a lock on its folder; the kernel releases it when the process ends, however it ends. SettingsError
    where the path of the temporary folder is too long for sockets.
    """
    parent = Path(tempfile.gettempdir())
    if len(os.fsencode(parent / (_PREFIX + 8 * "x") / _LONGEST_SOCKET)) > _MAX_PATH:
        raise SettingsError(
            f"The path of the temporary folder {parent} is too long for sockets. Set TMPDIR to a shorter one, "
            "such as /tmp."
        )
    remove_abandoned(parent)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(lock)


def remove_abandoned(parent: Path) -> None:
    """Remove this user's session folders in `parent` whose owner is gone."""
    for folder in parent.glob(_PREFIX + "*"):
        try:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            if time.time() - found.st_mtime < _YOUNG_S:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:  # another server removes it just now
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # its owner lives
        else:
            logger.info("removing what a killed server left folder=%s", folder)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
