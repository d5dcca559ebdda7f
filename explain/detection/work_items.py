"""Work items of detectors, beside those that they share with classifiers; see explain/network/work_items.py.

No two share a batch: inputs differ in size, and one of them keeps the device busy long enough.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from explain.detection.box_target import BoxTarget
from explain.detection.explained_boxes import ExplainedBoxes
from explain.detection.heat import Heat
from explain.detection.rows import Rows
from explain.request.parameter_types import OutputName
from models.detection.adapter import Detections, DetectorInput


@dataclass(slots=True, eq=False)
class DetectionPass:
    """Scores an input as a request without explanation would: `detections`, and the `outputs` of the graph.

    With `with_rows`, `rows` become all rows of the input.
    """

    source: DetectorInput
    with_rows: bool = False
    detections: Detections = field(init=False)
    outputs: tuple[Tensor, ...] = ()
    rows: Rows | None = None
    finished: int = 0
    count: int = 1
    passes: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """No other item shares its batch."""
        return ("detection", self)


@dataclass(slots=True, eq=False)
class MaskCells:
    """Finds the cells of the masks of targets in an input that was scored: `cells`, one for each."""

    source: DetectorInput
    outputs: Sequence[Tensor]
    targets: Sequence[BoxTarget]
    cells: list[Tensor] = field(default_factory=list)
    finished: int = 0
    count: int = 1
    passes: int = 0

    @property
    def key(self) -> tuple[object, ...]:
        """No other item shares its batch."""
        return ("cells", self)


@dataclass(slots=True, eq=False)
class MaskedInputs:
    """Variants of an input for the runtime that scores: `count` rows from `first` on.

    `row(number)` makes a variant when a batch takes it: uint8 [H, W, 3] on the CPU, as large as the content.
    `collect(number, rows)` takes all that the network says of it, in the order of the numbers.
    """

    image: ExplainedBoxes
    count: int
    row: Callable[[int], Tensor]
    collect: Callable[[int, Rows], None]
    first: int = 0
    finished: int = 0
    passes: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """No other item shares its batch."""
        return ("masked", self)


@dataclass(slots=True, eq=False)
class MapGradients:
    """Differentiates the numbers of each target with respect to the maps of the network.

    `heat` becomes, for each target and each of `aspects`, the parts of gradient times activation that are positive:
    float32 [h, w] at the size of a map, and the box that it covers in pixels of the content. `numbers`, [K, 2], become
    those of the first aspect.
    """

    image: ExplainedBoxes
    output: OutputName
    heat: list[list[list[Heat]]] = field(default_factory=list)
    numbers: Tensor = field(init=False)
    finished: int = 0
    count: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """No other item shares its batch."""
        return ("maps", self)

    @property
    def passes(self) -> int:
        """The passes of a row: those besides the one that scored the input, forward and backward."""
        return 2 * self.image.family.extra_passes
