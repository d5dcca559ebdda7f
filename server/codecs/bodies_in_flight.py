"""BodiesInFlight: how many bytes of bodies one HTTP process holds at the same time, and their bound."""

from collections.abc import Iterator
from contextlib import contextmanager

from server.errors import ServiceError

# bodies of at most this many bytes may use another quarter of the bound, so that large ones do not keep them out
SMALL_BYTES = 2**20
_RETRY_AFTER_S = 1.0


class HeldBody:
    """The bytes that one request holds: those of its body that have arrived, until it has its response."""

    def __init__(self, bodies: "BodiesInFlight") -> None:
        self._bodies = bodies
        self._bytes = 0

    def grow(self, count: int) -> None:
        """Hold `count` more bytes, which have arrived. ServiceError `queue_full` where the process holds too many."""
        most = self._bodies.most_bytes
        if self._bytes + count <= SMALL_BYTES:
            most += most // 4
        if self._bodies.held_bytes + count > most:
            raise ServiceError(
                "queue_full",
                f"The bodies of the requests in flight have {self._bodies.held_bytes} bytes together, and this "
                f"process holds {self._bodies.most_bytes}. Try again shortly, or send smaller pictures.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._bytes += count
        self._bodies.held_bytes += count

    def release(self) -> None:
        """Hold nothing any more."""
        self._bodies.held_bytes -= self._bytes
        self._bytes = 0


class BodiesInFlight:
    """Counts what has arrived, not what is announced: an upload that stalls takes no room for the rest of it."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0

    @contextmanager
    def hold(self) -> Iterator[HeldBody]:
        """Hold the body of a request until the block ends."""
        held = HeldBody(self)
        try:
            yield held
        finally:
            held.release()
