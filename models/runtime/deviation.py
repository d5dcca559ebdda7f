"""Deviation: how far the outputs of one way to compute are from those of another, for the same images."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deviation:
    """The largest difference of `what` that was measured, and the largest that is allowed."""

    what: str
    largest: float
    allowed: float

    @property
    def fits(self) -> bool:
        """Whether the difference is allowed; NaN is not."""
        return self.largest <= self.allowed

    def __str__(self) -> str:
        return f"{self.what} differ by up to {self.largest:.1e} (allowed {self.allowed:.0e})"
