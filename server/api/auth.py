"""Bearer keys: a primary and a secondary one, so that operators can replace a key without downtime."""

import hmac
import logging
from pathlib import Path

from server.errors import ServiceError
from settings.errors import SettingsError

logger = logging.getLogger(__name__)


class Keys:
    """The keys in a file, a line each; read again whenever the file changes. Without a file no key is needed."""

    def __init__(self, file: Path | None) -> None:
        """Read the file. SettingsError where it cannot be read, or does not hold one or two keys."""
        self._file = file
        self._stamp: tuple[int, int, int] | None = None
        self._keys: list[bytes] = []
        if file is not None:
            self._stamp = _stamp(file)
            self._keys = _read(file)

    def check(self, authorization: str | None) -> None:
        """Check the value of an Authorization header; ServiceError `unauthorized` without a valid key."""
        if self._file is None:
            return
        self._refresh(self._file)
        scheme, _, key = (authorization or "").partition(" ")
        given = key.strip().encode()
        # compare all keys, each in constant time, so that the response time tells nothing about them
        matches = [hmac.compare_digest(given, known) for known in self._keys]
        if scheme.lower() != "bearer" or not any(matches):
            raise ServiceError(
                "unauthorized", "A key is required. Send the header 'Authorization: Bearer KEY' with a valid key."
            )

    def _refresh(self, file: Path) -> None:
        try:
            stamp = _stamp(file)
            if stamp != self._stamp:
                self._keys, self._stamp = _read(file), stamp
                logger.info("keys read again file=%s keys=%d", file, len(self._keys))
        except SettingsError as error:
            # the file may be half written, or missing for a moment: the keys read before stay valid
            logger.error("%s The keys read before stay in force.", error)


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        status = file.stat()
    except OSError as error:
        raise SettingsError(f"The keys file {file} cannot be read: {error.strerror}.") from None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(file: Path) -> list[bytes]:
    try:
        lines = [line.strip() for line in file.read_bytes().splitlines()]
    except OSError as error:
        raise SettingsError(f"The keys file {file} cannot be read: {error.strerror}.") from None
    keys = [line for line in lines if line and not line.startswith(b"#")]
    if not 1 <= len(keys) <= 2:
        raise SettingsError(f"The keys file {file} holds {len(keys)} keys; expected one or two, a line each.")
    return keys
