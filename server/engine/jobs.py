"""Job: one picture of one request on its way through the engine."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any


class Stage(Enum):
    """Where a job is. It only moves forward; cancelling or expiring moves it to DONE from anywhere."""

    WAITING = auto()
    DECODING = auto()
    READY = auto()
    RUNNING = auto()
    DONE = auto()


@dataclass(slots=True, eq=False)
class Job:
    """A picture, what it costs, and when it must be done.

    `cost` counts pixels of the network input and `size` encoded bytes, the measures of device and decoding work.
    `due` orders a lane, `deadline` ends the job; times are seconds on the monotonic clock. The payload is none of
    the scheduler's business: `data` holds the encoded bytes until `picture` holds the decoded tensor.
    """

    request: int
    index: int
    cost: float
    size: int
    arrived: float
    deadline: float
    lane: str = "score"
    data: bytes = b""
    picture: Any = None
    due: float = 0.0
    stage: Stage = Stage.WAITING
    decode_s: float = 0.0
    started: float = 0.0
    device_s: float = 0.0

    def release(self) -> None:
        """Let go of the payload."""
        self.data, self.picture = b"", None


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of one lane that run together."""

    lane: str
    jobs: tuple[Job, ...] = field(default_factory=tuple)

    @property
    def cost(self) -> float:
        """The sum of the jobs' costs."""
        return sum(job.cost for job in self.jobs)
