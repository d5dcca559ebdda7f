"""ModelFacts: the description of a model that an engine sends to HTTP processes, which load no models."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from models.folder.signature import Column, Signature
from models.labels import Label


@dataclass(frozen=True, slots=True)
class AlgorithmFacts:
    """An algorithm that can explain a model. `passes` through its network are the most that one target takes."""

    name: str
    summary: str
    passes: int
    default: bool


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The facts of a model. `sizes` are the settings that fix the size of its inputs, in pixels.

    `signature` describes the columns of a table of images. `ranks_labels` says that the hosted endpoint replies with
    the labels of an image in the order of their scores. `exif` says that images are turned by their EXIF orientation.
    Detectors return boxes with scores above `score_threshold`. Requests may set the settings `per_request`. `device`,
    `runtime` and `precision` are those that compute now.
    """

    architecture: str = ""
    task: str = ""
    labels: tuple[Label, ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
    signature: Signature = field(default_factory=Signature)
    ranks_labels: bool = False
    exif: bool = False
    score_threshold: float | None = None
    per_request: tuple[str, ...] = ()
    algorithms: tuple[AlgorithmFacts, ...] = ()
    device: str = ""
    runtime: str = ""
    precision: str = ""

    @property
    def classifies(self) -> bool:
        """Whether the model gives every label a probability, rather than finding objects."""
        return self.task in ("multiclass", "multilabel")

    def fields(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "ModelFacts":
        """Read what `fields` wrote."""
        return cls(
            architecture=str(fields["architecture"]),
            task=str(fields["task"]),
            labels=tuple(fields["labels"]),
            sizes=tuple((name, size) for name, size in fields["sizes"]),
            signature=Signature(
                tuple(Column(**column) for column in fields["signature"]["columns"]), fields["signature"]["any_name"]
            ),
            ranks_labels=bool(fields["ranks_labels"]),
            exif=bool(fields["exif"]),
            score_threshold=fields["score_threshold"],
            per_request=tuple(fields["per_request"]),
            algorithms=tuple(AlgorithmFacts(**algorithm) for algorithm in fields["algorithms"]),
            device=str(fields["device"]),
            runtime=str(fields["runtime"]),
            precision=str(fields["precision"]),
        )
