"""Deviation: how far what one way of computing says of some pictures is from what another says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deviation:
    """The largest difference of `what` that was seen, and the largest that is allowed."""

    what: str
    largest: float
    allowed: float

    @property
    def fits(self) -> bool:
        """Whether the difference is allowed; one that is no number is not."""
        return self.largest <= self.allowed

    def __str__(self) -> str:
        return f"{self.what} differ by up to {self.largest:.1e} (allowed {self.allowed:.0e})"
