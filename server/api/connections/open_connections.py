"""OpenConnections: the connections of one HTTP process, which are bounded in number and age."""

import logging
import resource
import time
from typing import Protocol

logger = logging.getLogger(__name__)

_OWN_FILES = 64  # for engines, metrics, and the files of a response
_BEYOND = 32  # connections above the limit that may still ask whether the server lives
_GRACE_S = 0.25  # in which a new client may send its request, where there are files for it
_LOG_EVERY_S = 60.0


class BoundedConnection(Protocol):
    """One connection. `was_served`: a request came before. `over_limit`: it may only ask with GET or HEAD."""

    was_served: bool
    over_limit: bool

    def expire(self) -> bool:
        """Close a connection that waited too long. False where it goes on, since its client still reads a response."""

    def abort(self) -> None:
        """Close at once."""


class OpenConnections:
    """Knows which connections wait for their client, and closes those that do so for too long, or are too many.

    A connection waits for a request, for the rest of one that was answered already, or for its client to read.
    """

    def __init__(self, most: int, idle_s: float) -> None:
        """Allow `most` connections or as many as the limit of open files does. Each may wait `idle_s` seconds."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        by_files, self._beyond = _allowed_by_files(files if files != resource.RLIM_INFINITY else 2**20)
        self.most = min(most, by_files)
        self._idle_s = idle_s
        self._open: set[BoundedConnection] = set()
        # when each began to wait, the oldest first
        self._new: dict[BoundedConnection, float] = {}
        self._served: dict[BoundedConnection, float] = {}
        self._logged = -_LOG_EVERY_S

    def opened(self, connection: BoundedConnection) -> None:
        """Take up a new connection. Beyond the limit, one that waits is closed, or the new one may only probe."""
        self._open.add(connection)
        if len(self._open) > self.most:
            self._make_room(connection)
        self.waits(connection)

    def closed(self, connection: BoundedConnection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self.works(connection)

    def waits(self, connection: BoundedConnection) -> None:
        """Note that a connection waits for its client from now on."""
        self.works(connection)
        (self._served if connection.was_served else self._new)[connection] = time.monotonic()

    def works(self, connection: BoundedConnection) -> None:
        """Note that a connection has a request to respond to."""
        self._new.pop(connection, None)
        self._served.pop(connection, None)

    def close_expired(self) -> None:
        """Close the connections that wait for too long."""
        latest = time.monotonic() - self._idle_s
        for waiting in (self._new, self._served):
            for connection in [each for each, since in waiting.items() if since < latest]:
                if connection.expire():
                    self.works(connection)
                else:
                    self.waits(connection)

    def _make_room(self, newcomer: BoundedConnection) -> None:
        has_files = len(self._open) <= self.most + self._beyond
        # first those that never sent a whole request: a flood of them leaves clients alone that were there before
        oldest, since = next(iter((self._new or self._served).items()), (None, 0.0))
        if oldest is not None and not (has_files and time.monotonic() - since < _GRACE_S):
            self.works(oldest)
            oldest.abort()
        elif has_files:
            newcomer.over_limit = True
        else:
            newcomer.abort()
        if time.monotonic() - self._logged >= _LOG_EVERY_S:
            self._logged = time.monotonic()
            logger.warning(
                "too many connections open=%d most=%d: for each new one, that which waits the longest is closed, or "
                "only probes are answered. Raise --max-connections and the limit of open files (ulimit -n).",
                len(self._open),
                self.most,
            )


def _allowed_by_files(files: int) -> tuple[int, int]:
    """Return how many connections so many open files allow, and how many more that may only probe."""
    spare = files - min(_OWN_FILES, 32 + files // 8)
    beyond = min(_BEYOND, spare // 4)
    return max(1, spare - beyond), beyond
