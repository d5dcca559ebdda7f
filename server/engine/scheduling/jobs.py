"""Job: one picture of one request on its way through the engine."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from models.images.model_input import DecodedImage, ModelInput

DECODED_BATCHES = "fed"


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
class Job:
    """An image, or in the lane DECODED_BATCHES a batch of images from a decode worker; its cost and its deadline.

    `cost` counts pixels of the network input and `size` encoded bytes, the measures of device and decoding work.
    `passes` is how many times the device has to work through that cost, as far as is known. Only jobs whose next pass
    is of the same `shape` share a batch.
    `due` orders a lane, `deadline` ends the job, `predicted_s` is how long a request's first job was to wait; times are
    seconds on the monotonic clock. The payload is none of the scheduler's business: `data` holds the encoded bytes
    until `picture` holds what is decoded, `settings` what the request sets, `found` the outputs of the inputs so far;
    `task` is what an explanation keeps between its batches.
    """

    request: int
    index: int
    cost: float
    size: int
    arrived: float
    deadline: float
    lane: str = "score"
    images: int = 1
    passes: float = 1.0
    shape: Hashable = None
    data: bytes = b""
    settings: Any = None
    picture: DecodedImage | None = None
    found: dict[int, Any] = field(default_factory=dict)
    task: Any = None
    due: float = 0.0
    predicted_s: float = 0.0
    stage: Stage = Stage.WAITING
    decode_s: float = 0.0
    started: float = 0.0
    device_s: float = 0.0

    def open_inputs(self) -> dict[int, ModelInput]:
        """Return the inputs of the image that are left to be run, by their index."""
        assert self.picture is not None
        return {index: one for index, one in enumerate(self.picture.inputs) if index not in self.found}

    def release(self) -> None:
        """Let go of the payload."""
        self.data, self.picture, self.found, self.task = b"", None, {}, None


@dataclass(frozen=True, slots=True)
class BatchItem:
    """The place of one input of a job's image in a batch."""

    job: Job
    index: int
    input: ModelInput


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of one lane that run together."""

    lane: str
    jobs: tuple[Job, ...] = field(default_factory=tuple)

    @property
    def cost(self) -> float:
        """The sum of the jobs' costs, each run once."""
        return sum(job.cost for job in self.jobs)
