"""What explanations of boxes cost, in passes of the same view: python -m benchmarks.boxes.cost [--rounds 5].

Detectors with seeded weights at 800x600. A pass is what scoring takes for the image, by the same runtime; an
explanation includes it. Passes and explanations take turns, so ratios hold on a machine whose speed drifts.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from explain.detection.executor import DetectorExecutor
from explain.detection.family import inputs_of
from explain.detection.run import explain_boxes
from explain.detection.steps import ObjectExplanation
from explain.regions.ranking import warm_up
from explain.request.parameters import read_parameters
from models.detector import Detector
from models.images.model_input import DecodedImage
from models.loaded import load
from server.cores import usable_cores
from tests.support.folders.detector_folders import write_detector_folder
from tests.support.images import LIMITS, encoded, painted

_SETTINGS = {"min_size": 600, "max_size": 800, "box_score_thresh": 0.01, "box_detections_per_img": 20}
_FASTER, _MASK, _RETINA = "fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn"
_STEPS, _MASKS = 4, 8


@dataclass(frozen=True, slots=True)
class CostRow:
    """A network, what is asked, and the most that it may cost; `of` is what that is a multiple of."""

    network: str
    request: Mapping[str, Any]
    bound: float
    of: str = "pass"


_ROWS: Mapping[str, CostRow] = {
    "odam, 1 box": CostRow(_FASTER, {"xai_algorithm": "odam"}, 1.15),
    "odam, 10 boxes": CostRow(_FASTER, {"xai_algorithm": "odam", "top_k": 10}, 1.5),
    "odam, 1 whole box": CostRow(_FASTER, {"xai_algorithm": "odam", "aspect": "box"}, 1.3),
    "odam, 1 box of RetinaNet": CostRow(_RETINA, {"xai_algorithm": "odam"}, 1.15),
    "odam, 1 mask": CostRow(_MASK, {"xai_algorithm": "odam", "aspect": "mask"}, 1.3),
    f"integrated_gradients, {_STEPS} steps": CostRow(
        _FASTER, {"xai_algorithm": "integrated_gradients", "n_steps": _STEPS}, 1.15, "steps"
    ),
    f"drise, {_MASKS} masks": CostRow(_FASTER, {"xai_algorithm": "drise", "n_masks": _MASKS}, 1.1, "masks"),
}


class CostBench:
    """One detector and an image of it."""

    def __init__(self, folder: Path, name: str) -> None:
        model = load(write_detector_folder(folder / name, name, base=_SETTINGS))
        assert isinstance(model, Detector)
        self.model = model
        self.executor = DetectorExecutor(lambda: model)
        self.image: DecodedImage = model.read(encoded(painted(1, 800, 600), "JPEG"), LIMITS, model.settings({}))

    def pass_s(self) -> float:
        """Return the seconds of a pass that scores."""
        return _seconds(lambda: self.model.outputs([self.image.inputs[0].data]))

    def step_s(self) -> float:
        """Return the seconds of a forward and a backward pass through backbone and one region's head."""
        source = self.image.inputs[0].data
        target = self._target()
        inputs = inputs_of(self.executor.family.adapter, source, self.model.device).requires_grad_()

        def step() -> None:
            with torch.enable_grad():
                number = self.executor.family.of_inputs(inputs, source).read(target).numbers[0]
                torch.autograd.grad(number, inputs)

        return _seconds(step)

    def explanation_s(self, request: Mapping[str, Any]) -> float:
        """Return the seconds of an explanation."""
        return _seconds(lambda: self._explain(request))

    def _explain(self, request: Mapping[str, Any]) -> ObjectExplanation:
        parameters = read_parameters(request).for_kind("detector")
        return explain_boxes(self.executor, self.image, self.model.definition.labels, parameters)

    def _target(self) -> Any:
        return self._explain({"xai_algorithm": "odam"}).attributions[0].target


def main() -> None:
    """Measure all rows, print a line for each, and write all numbers to a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boxes.cost", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="passes and explanations of each row, by turns")
    options = parser.parse_args()
    torch.set_num_threads(usable_cores())
    machine = describe_machine()
    print(f"{machine['processor']}, {machine['cores']} cores, torch {machine['versions']['torch']}")  # type: ignore[index]
    warm_up()
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        bench, network = None, ""
        for name, row in sorted(_ROWS.items(), key=lambda one: one[1].network):
            if bench is None or row.network != network:
                bench, network = CostBench(Path(temporary), row.network), row.network
            results[name] = _measured(name, row, bench, options.rounds)
    write_report("boxes-cost", {"machine": machine, "rows": results})


def _measured(name: str, row: CostRow, bench: CostBench, rounds: int) -> dict[str, Any]:
    bench.pass_s(), bench.explanation_s(row.request)
    passes, explanations, ratios = [], [], []
    for _ in range(rounds):
        passes.append(bench.pass_s())
        explanations.append(bench.explanation_s(row.request))
        unit = passes[-1]
        if row.of == "steps":
            unit = passes[-1] + _STEPS * bench.step_s() + 2 * passes[-1]
        elif row.of == "masks":
            unit = (1 + _MASKS) * passes[-1]
        ratios.append(explanations[-1] / unit)
    ratio = statistics.median(ratios)
    verdict = "met" if ratio <= row.bound else "MISSED"
    print(
        f"{name:28} {ratio:5.2f} times (wanted {row.bound}: {verdict}), {min(explanations):.2f} s beside a pass of "
        f"{min(passes):.2f} s",
        flush=True,
    )
    return {"ratios": ratios, "passes_s": passes, "explanations_s": explanations, "bound": row.bound, "of": row.of}


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
