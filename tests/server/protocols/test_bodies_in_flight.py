import pytest

from server.codecs.bodies_in_flight import SMALL_BYTES, BodiesInFlight
from server.errors import ServiceError


def test_large_bodies_have_a_bound_together_and_small_ones_a_little_more() -> None:
    bodies = BodiesInFlight(4 * SMALL_BYTES)
    with bodies.hold() as first, bodies.hold() as second, bodies.hold() as third:
        first.grow(3 * SMALL_BYTES)
        with pytest.raises(ServiceError, match="this process holds 4194304") as caught:
            second.grow(2 * SMALL_BYTES)
        assert (caught.value.status, caught.value.retry_after_s) == (429, 1.0)
        second.grow(SMALL_BYTES)
        third.grow(SMALL_BYTES // 2)
        third.grow(SMALL_BYTES // 2)
        with pytest.raises(ServiceError):
            third.grow(1)
        first.release()
        third.grow(1)
    assert bodies.held_bytes == 0


def test_what_a_failed_request_held_is_free_again() -> None:
    bodies = BodiesInFlight(10)
    with pytest.raises(ServiceError), bodies.hold() as held:
        held.grow(8)
        held.grow(8)
    assert bodies.held_bytes == 0
