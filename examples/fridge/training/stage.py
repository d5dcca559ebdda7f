"""TrainingStage: some steps of a training at one image size."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingStage:
    """Some steps at one image size.

    pixels: width and height of the network's input. shown: how many images, `batch` at a time. rates: the learning rate
    at the start and at the end, linear in between.
    """

    pixels: int
    shown: int
    batch: int
    rates: tuple[float, float]

    @property
    def steps(self) -> int:
        """How many steps the stage takes."""
        return -(-self.shown // self.batch)
