"""DetectorExecutor: runs rows of work items through a detector, as Executor does for classifiers."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from explain.detection.box_target import BoxTarget
from explain.detection.catalog import family_of
from explain.detection.explained_boxes import BoxNetwork, ExplainedBoxes
from explain.detection.family import scored
from explain.detection.heat import Heat, heat
from explain.detection.work_items import DetectionPass, MapGradients, MaskCells, MaskedInputs
from explain.network.executor import Executor
from explain.network.explained_image import OutOfTime
from explain.network.work_items import WorkSlice
from explain.request.parameter_types import SIDES, Aspect
from explain.request.targets import fixed_targets
from models.architecture.cam_layer import CamLayer
from models.detector import Detector
from models.errors import ModelError


class DetectorExecutor:
    """A detector in evaluation mode; its weights need no gradients. Running leaves it unchanged.

    `model()` returns it with the runtime that scores now; explanations differentiate the network itself. Only the
    device's thread may run it.
    """

    def __init__(self, model: Callable[[], Detector]) -> None:
        self._model = model
        detector = model()
        self.family = family_of(detector)
        self.device = detector.device
        self._shared = Executor(detector.network, detector.device, self.family.adapter.normalised, _no_cam_layer)

    def run(self, slices: Sequence[WorkSlice], size: int) -> None:
        """Run slices of items with equal keys, and store the results in the items, as Executor.run does."""
        match slices[0].item:
            case DetectionPass() as item:
                self._detect(item)
            case MaskCells() as item:
                with torch.no_grad():
                    item.cells = [self.family.cells(item.outputs, item.source, target) for target in item.targets]
            case MapGradients() as item:
                self._differentiate(item)
            case MaskedInputs() as item:
                for one in slices:
                    self._run_masked(item, item.first + one.start, item.first + one.stop)
            case _:
                self._shared.run(slices, size)
                return
        for one in slices:
            one.item.finished += one.count

    def explained_boxes(
        self, item: DetectionPass, targets: Sequence[BoxTarget], out_of_time: OutOfTime
    ) -> ExplainedBoxes:
        """Prepare an input that was scored, with the targets in it."""
        adapter = self.family.adapter
        content = adapter.content(item.source)

        def normalise(values: Tensor) -> Tensor:
            return adapter.normalised(values.float()).to(self.device)

        return ExplainedBoxes(
            content.round().to(torch.uint8),
            normalise(content),
            normalise,
            BoxNetwork(self.family, item.source, tuple(targets)),
            fixed_targets(*range(len(targets))),
            out_of_time,
            family=self.family,
            source=item.source,
            boxes=tuple(targets),
            scored=item.outputs,
        )

    def _detect(self, item: DetectionPass) -> None:
        model, outputs = self._model(), list[Tensor]()

        def graph(batch: Tensor) -> Sequence[Tensor]:
            outputs[:] = model.graph(batch)
            return outputs

        with torch.no_grad():
            (item.detections,) = self.family.adapter.detect(model.network, graph, [item.source])
            # copies: a runtime may write the next outputs in the same place, and autograd refuses some of these tensors
            item.outputs = tuple(each.float().clone() for each in outputs)
            if item.with_rows:
                item.rows = self.family.rows(item.outputs, item.source)

    def _run_masked(self, item: MaskedInputs, start: int, stop: int) -> None:
        image, numbers = item.image, range(start, stop)
        with torch.no_grad():
            inputs = torch.stack([image.normalise(item.row(number)) for number in numbers])
            outputs = scored(self.family.adapter, self._model().graph, inputs, image.source)
            rows = [self.family.rows(each, image.source) for each in outputs]
        for number, found in zip(numbers, rows, strict=True):
            item.collect(number, found)

    def _differentiate(self, item: MapGradients) -> None:
        index = 0 if item.output == "logit" else 1
        image, numbers, found = item.image, [], []
        with torch.enable_grad():
            forward = self.family.of_maps(image.scored, image.source)
            for target in image.boxes:
                of_target: list[list[Heat]] = []
                for aspect in _aspects(target):
                    reading = forward.read(replace(target, aspect=aspect))
                    gradients = torch.autograd.grad(
                        reading.numbers[index],
                        [part.features for part in reading.maps],
                        retain_graph=True,
                        allow_unused=True,
                    )
                    of_target.append(
                        [
                            (_heat(part.arranged(part.features.detach()), part.arranged(gradient)), part.box)
                            for part, gradient in zip(reading.maps, gradients, strict=True)
                            if gradient is not None
                        ]
                    )
                    if len(of_target) == 1:
                        numbers.append(reading.numbers.detach().float().cpu())
                found.append(of_target)
        item.heat, item.numbers = found, torch.stack(numbers)


def _aspects(target: BoxTarget) -> Sequence[Aspect]:
    """Return the aspects whose maps are joined: for a whole box these are its label and its sides."""
    return ("label", *SIDES) if target.aspect == "box" else (target.aspect,)


def _heat(activations: Tensor, gradients: Tensor) -> Tensor:
    values = heat(activations, gradients).float().cpu()
    if not torch.isfinite(values).all():
        raise ModelError("The gradients of the network are not finite. Check its weights and the precision.")
    return values


def _no_cam_layer(network: nn.Module) -> CamLayer:
    raise ModelError("Grad-CAM cannot tell objects of one label apart.")
