"""Job: one image of one request as the scheduler sees it, and the batches that jobs form."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Generic, TypeVar

DECODED_BATCHES = "decoded"  # the lane of batches that decode workers submit

Payload = TypeVar("Payload")


class Stage(Enum):
    """Where a job is. It moves forward, and from anywhere to DONE when it is cancelled or expires.

    A job that takes several batches goes from RUNNING back to READY, or is PARKED while it waits for its CPU tasks.
    """

    WAITING = auto()
    DECODING = auto()
    READY = auto()
    RUNNING = auto()
    PARKED = auto()
    DONE = auto()


@dataclass(slots=True, eq=False)
class Job(Generic[Payload]):
    """An image, or in the lane DECODED_BATCHES a batch of images from a decode worker; its cost and its deadline.

    `cost` counts pixels of the network input and `size` encoded bytes, the measures of device and decoding work.
    `passes` is how many times the device has to work through that cost, as far as is known. Only jobs whose next pass
    is of the same `shape` share a batch. `due` orders a lane, `deadline` ends the job, `predicted_s` is the predicted
    wait of a request's first job; times are seconds on the monotonic clock. The scheduler does not look at `payload`.
    """

    request: int
    index: int
    cost: float
    size: int
    arrived: float
    deadline: float
    payload: Payload
    lane: str = "score"
    images: int = 1
    passes: float = 1.0
    shape: Hashable = None
    due: float = 0.0
    predicted_s: float = 0.0
    stage: Stage = Stage.WAITING
    started: float = 0.0


AnyJob = Job[Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of one lane that run together."""

    lane: str
    jobs: tuple[AnyJob, ...] = field(default_factory=tuple)

    @property
    def cost(self) -> float:
        """The sum of the jobs' costs, each run once."""
        return sum(job.cost for job in self.jobs)
