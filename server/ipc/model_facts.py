"""ModelFacts: the description of a model that an engine sends to HTTP processes, which load no models."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from models.folder.signature import Column, Signature
from models.labels import Label


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The facts of a model. `sizes` are the settings that fix the size of its inputs, in pixels.

    `signature` describes the columns of a table of images. `ranks_labels` says that the hosted endpoint replies with
    the labels of an image in the order of their scores.
    """

    architecture: str = ""
    task: str = ""
    labels: tuple[Label, ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
    signature: Signature = field(default_factory=Signature)
    ranks_labels: bool = False

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
        )
