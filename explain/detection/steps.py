"""The steps that explain boxes: score the image, select boxes, fix their targets, and explain each in its input."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor

from explain.algorithm import Algorithm
from explain.attribution import Attribution, Explanation
from explain.detection.box_target import BoxTarget
from explain.detection.executor import DetectorExecutor
from explain.detection.placement import PlacedAttribution, placed
from explain.detection.rows import LEAST_IOU
from explain.detection.selection import SelectedBox, selected_boxes
from explain.detection.work_items import DetectionPass, MaskCells
from explain.errors import ExplanationError
from explain.network.explained_image import OutOfTime
from explain.network.work_items import CpuTask, StageWork
from explain.quality import with_quality
from explain.request.parameters import ExplanationParameters
from models.detection.adapter import Detections
from models.detection.instances import Instances, join
from models.images.model_input import DecodedImage
from models.labels import Label, named


@dataclass(frozen=True, slots=True)
class ObjectExplanation:
    """The explanation of an image with objects: the `detections` in its inputs, and an attribution for each target.

    `found` are the objects of the reply. `pixels`, uint8 [H, W, 3], show the whole image as the network saw it, and
    attributions are as large.
    """

    detections: Sequence[Detections]
    found: Instances
    pixels: Tensor
    attributions: tuple[PlacedAttribution, ...]


@dataclass(frozen=True, slots=True)
class DetectorSteps:
    """The explanation of one decoded image by an algorithm."""

    executor: DetectorExecutor
    image: DecodedImage
    labels: Sequence[Label]
    algorithm: Algorithm
    parameters: ExplanationParameters
    out_of_time: OutOfTime

    def run(self) -> Generator[StageWork, None, ObjectExplanation]:
        """Yield the work; see explain/network/work_items.py.

        Raises ExplanationError: `target_unknown`, or `box_unmatched` where the network has nothing near a client's box.
        """
        passes = [DetectionPass(one.data, self._needs_rows) for one in self.image.inputs]
        yield passes
        detections = [one.detections for one in passes]
        found = join(self.image, detections, self.image.inputs[0].data.size)
        selected = selected_boxes(self.parameters, found, self.labels)
        in_order = sorted(enumerate(self._targets(selected, passes)), key=lambda numbered: numbered[1][0])
        attributions: dict[int, PlacedAttribution] = {}
        for number, group in groupby(in_order, key=lambda numbered: numbered[1][0]):
            own = [(order, target) for order, (_, target) in group]
            targets = [target for _, target in own]
            explained, rows = yield from _counted(self._explain(passes[number], targets))
            for (order, target), attribution in zip(own, explained, strict=True):
                attributions[order] = replace(placed(self.image, number, target, attribution), forward_passes=1 + rows)
        pixels = self.executor.family.adapter.content(self.image.inputs[0].data).round().to(torch.uint8)
        return ObjectExplanation(
            detections, found, pixels, tuple(attributions[order] for order in range(len(attributions)))
        )

    @property
    def _needs_rows(self) -> bool:
        clients = any(not isinstance(target, int | str) for target in self.parameters.target or ())
        return clients or not self.executor.family.pools_box or self.algorithm.needs_rows

    def _targets(self, selected: Sequence[SelectedBox], passes: Sequence[DetectionPass]) -> list[tuple[int, BoxTarget]]:
        """Fix the target of each box, with the number of the input that it is explained in."""
        return [
            self._of_client(box, passes) if box.owner is None else (box.owner, self._own(box, passes[box.owner]))
            for box in selected
        ]

    def _own(self, box: SelectedBox, scored: DetectionPass) -> BoxTarget:
        assert box.owner is not None and box.score is not None
        target = BoxTarget(
            box.label, self._corners(box, box.owner), box.score, box.position, aspect=self.parameters.aspect
        )
        rows = scored.rows
        if rows is None or not len(rows.probabilities):
            return target
        row, overlap = rows.own(target.corners, box.label, box.score)
        target = replace(target, probabilities=rows.probabilities[row])
        return target if self.executor.family.pools_box else replace(target, row=row, matched_iou=overlap)

    def _of_client(self, box: SelectedBox, passes: Sequence[DetectionPass]) -> tuple[int, BoxTarget]:
        candidates = []
        for number, scored in enumerate(passes):
            corners = self._corners(box, number)
            height, width = scored.source.size
            if number and not (corners[:2].min() >= 0 and corners[2] <= width and corners[3] <= height):
                continue  # a tile that shows a part of the box
            assert scored.rows is not None
            if len(scored.rows.probabilities):
                row, overlap = scored.rows.best(corners, box.label)
                score = float(scored.rows.scores(box.label)[row])
                probabilities = scored.rows.probabilities[row]
                target = BoxTarget(
                    box.label, corners, score, None, row, overlap, probabilities, aspect=self.parameters.aspect
                )
                candidates.append((number, target))
        near = [one for one in candidates if one[1].matched_iou >= LEAST_IOU]
        if not near:
            raise self._unmatched(box, max((one.matched_iou for _, one in candidates), default=0.0))
        number, target = max(near, key=lambda one: one[1].matched_iou * one[1].score)
        return number, replace(target, row=None) if self.executor.family.pools_box else target

    def _unmatched(self, box: SelectedBox, overlap: float) -> ExplanationError:
        corners = ", ".join(f"{edge:.4g}" for edge in box.corners)
        return ExplanationError(
            "box_unmatched",
            f"Nothing that the network considers is near the box ({corners}) of {named(self.labels[box.label])}: the "
            f"best IoU found is {overlap:.2f}, and {LEAST_IOU} is needed. Give a box that fits an object more closely.",
        )

    def _corners(self, box: SelectedBox, number: int) -> Tensor:
        """Return the corners of a box in pixels of the content of an input."""
        whole, tile = self.image.tiles[0], self.image.tiles[number]
        height, width = self.image.inputs[number].data.size
        across, down = width / tile.size[0], height / tile.size[1]
        left, top, right, bottom = (float(share) for share in box.corners)
        edges = (
            (left * whole.size[0] - tile.left) * across,
            (top * whole.size[1] - tile.top) * down,
            (right * whole.size[0] - tile.left) * across,
            (bottom * whole.size[1] - tile.top) * down,
        )
        return torch.tensor(edges, dtype=torch.float32)

    def _explain(
        self, scored: DetectionPass, targets: Sequence[BoxTarget]
    ) -> Generator[StageWork, None, Sequence[Attribution]]:
        if self.parameters.aspect == "mask":
            found = MaskCells(scored.source, scored.outputs, targets)
            yield [found]
            targets = [replace(one, cells=cells) for one, cells in zip(targets, found.cells, strict=True)]
        boxes = self.executor.explained_boxes(scored, targets, self.out_of_time)
        steps = with_quality(self.algorithm.steps(boxes, self.parameters), boxes, self.parameters.quality)
        explanation: Explanation = yield from steps
        scored_as_proposal = self.executor.family.pools_box and self.parameters.aspect in ("label", "box")
        if not scored_as_proposal or self.algorithm.needs_rows:
            return explanation.attributions
        return [
            replace(one, notes=(*one.notes, f"As a proposal, this box scores {float(score):.4f}."))
            for one, score in zip(explanation.attributions, explanation.logits[:, 1], strict=True)
        ]


def _counted(
    steps: Generator[StageWork, None, Sequence[Attribution]],
) -> Generator[StageWork, None, tuple[Sequence[Attribution], int]]:
    """Run steps; returns what they return, and how many rows they had the network compute."""
    rows = 0
    while True:
        try:
            work = next(steps)
        except StopIteration as end:
            return end.value, rows
        rows += sum(item.count for item in work if not isinstance(item, CpuTask) and item.passes)
        yield work
