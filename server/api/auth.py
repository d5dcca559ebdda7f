"""Bearer keys: a primary and a secondary one, so that operators can replace a key without downtime."""

import hmac
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from server.errors import ServiceError
from settings.byte_order_mark import as_utf8
from settings.errors import SettingsError

if TYPE_CHECKING:  # the library decides where values are kept when it is imported, and the supervisor imports this file
    from prometheus_client import Gauge

logger = logging.getLogger(__name__)

_Stamp = tuple[int, int, int, int]


class Keys:
    """The keys in a file, a line each; read again whenever the file changes. Without a file no key is needed.

    While the file cannot be used, the keys read before stay in force, and the gauge `stale` shows 1.
    """

    def __init__(self, file: Path | None, stale: "Gauge | None" = None) -> None:
        """Read the file. SettingsError where it cannot be read, or does not hold one or two keys."""
        self._file = file
        self._stale = stale
        self._fault = ""
        self._stamp: _Stamp | None = None
        self._keys: list[bytes] = []
        if file is not None:
            self._stamp = _stamp(file)
            self._keys = _read(file)

    def check(self, authorization: str | None) -> None:
        """Check the value of an Authorization header; ServiceError `unauthorized` without a valid key."""
        if self._file is None:
            return
        self.refresh()
        scheme, _, key = (authorization or "").partition(" ")
        # the HTTP server decodes the bytes of a header as latin-1; some clients encode the letters of a key as that
        sent = key.strip().encode("latin-1", "replace")
        given = (sent, sent.decode("latin-1").encode())
        # compare all keys, each in constant time, so that the response time tells nothing about them
        matches = [hmac.compare_digest(one, known) for one in given for known in self._keys]
        if scheme.lower() != "bearer" or not any(matches):
            raise ServiceError(
                "unauthorized", "A key is required. Send the header 'Authorization: Bearer KEY' with a valid key."
            )

    def refresh(self) -> None:
        """Read the file again if it has changed, or could not be used when it was read last."""
        if self._file is None:
            return
        stamp = _stamp(self._file)
        if stamp is not None and stamp == self._stamp:
            return
        fault = ""
        try:
            self._keys, self._stamp = _read(self._file), stamp
            logger.info("keys read again file=%s keys=%d", self._file, len(self._keys))
        except SettingsError as error:
            fault, self._stamp = str(error), None  # the file may be half written, or missing for a moment
        if fault and fault != self._fault:  # one line, and not one for each request
            logger.error("%s The keys read before stay in force.", fault)
        self._fault = fault
        if self._stale is not None:
            self._stale.set(bool(fault))


def _stamp(file: Path) -> _Stamp | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _read(file: Path) -> list[bytes]:
    try:
        lines = [line.strip() for line in as_utf8(file.read_bytes()).splitlines()]
    except OSError as error:
        raise SettingsError(f"The keys file {file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise SettingsError(f"The keys file {file} cannot be read: {error}.") from None
    keys = [line for line in lines if line and not line.startswith(b"#")]
    if not 1 <= len(keys) <= 2:
        raise SettingsError(f"The keys file {file} holds {len(keys)} keys; expected one or two, a line each.")
    return keys
