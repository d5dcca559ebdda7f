"""Job: one image of a request as the scheduler handles it, and the batches that jobs form."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Generic, TypeVar

DECODED_BATCHES = "decoded"  # the lane of batches that decode workers submit

Payload = TypeVar("Payload")


class Stage(Enum):
    """The stage of a job. Jobs move forward, and from any stage to DONE when they are cancelled or expire.

    A job that takes several batches moves from RUNNING back to READY, or is PARKED while it waits for its CPU
    tasks. One that another process decodes is PARKED too, between DECODING and READY.
    """

    WAITING = auto()
    DECODING = auto()
    READY = auto()
    RUNNING = auto()
    PARKED = auto()
    DONE = auto()


@dataclass(slots=True, eq=False)
class Job(Generic[Payload]):
    """An image to be processed; in the lane DECODED_BATCHES a batch of images from a decode worker.

    - `cost`: pixels of the network input, the measure of device work; `size`: encoded bytes, that of decoding work
    - `passes`: how many times the device works through that cost, as far as it is known
    - `shape`: only jobs whose next pass has the same shape share a batch
    - `due`: orders the jobs of a lane; `deadline`: when the job ends unfinished; both on the monotonic clock, as are
      `arrived` and `started`, which is 0 until the job has run
    - `predicted_s`: the predicted wait of the first job of a request
    - `payload`: the scheduler does not read it
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
