"""Executor: runs rows through a network, a batch at a time. The only file here that runs one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from explain.errors import ExplanationError
from explain.network.cam import maps, tapped
from explain.network.explained_image import ExplainedImage, StopRefining, TargetSelector, never
from explain.network.guidance import Guidance
from explain.network.work_items import ForwardPass, PathGradients, TargetGradients, WorkSlice
from explain.request.parameter_types import OutputName
from models.architecture.cam_layer import CamLayer
from models.classifier import Classifier
from models.errors import ModelError


@dataclass(frozen=True, slots=True)
class Executor:
    """A network in evaluation mode whose weights need no gradients, on its device. Leaves no trace on it.

    `normalise` turns pixels [N, H, W, 3] in [0, 255] into inputs [N, 3, H, W]; `independent` says that each label has a
    probability of its own. Everything is computed in the precision of the weights. Not to be called in inference mode,
    whose tensors autograd refuses. Safe to use from several threads. `memory` is that of ExplainedImage.
    """

    network: nn.Module
    device: torch.device
    normalise: Callable[[Tensor], Tensor]
    cam_layer: Callable[[nn.Module], CamLayer]
    independent: bool = False
    memory: dict[object, Any] = field(default_factory=dict, init=False, compare=False)  # each network has its own

    @classmethod
    def through(cls, model: Classifier) -> "Executor":
        """Make the passes through a loaded model."""
        return cls(
            model.network,
            model.device,
            model.preprocess.inputs,
            model.architecture.cam_layer,
            independent=model.definition.task.name == "multilabel",
        )

    def subject(self, picture: Tensor, choose: TargetSelector, enough: StopRefining = never) -> ExplainedImage:
        """Prepare a picture, uint8 [H, W, 3] on the CPU, as Classifier.picture makes it."""

        def normalise(values: Tensor) -> Tensor:
            # a copy, since normalising works in place
            return self.normalise(values.to(self.device, torch.float32, copy=True)[None])[0]

        return ExplainedImage(picture, normalise(picture), normalise, choose, enough, self.memory)

    def layer(self) -> CamLayer:
        """Return where Grad-CAM reads the network; ExplanationError where there is no such place."""
        try:
            return self.cam_layer(self.network)
        except ModelError as error:
            raise ExplanationError("algorithm_unsupported", f"{error} Use xrai or integrated_gradients.") from None

    def run(self, parts: Sequence[WorkSlice], size: int) -> None:
        """Run parts whose rows have equal keys as one batch, and put the results where they belong.

        The batch is filled up to `size` rows. How a network rounds depends on the size of a batch, but neither on the
        other rows nor on their order: among rows of others, a row gets the same bits as alone.

        When this raises, as where memory runs out, nothing has happened: the same parts can be run again one by one.
        """
        match parts[0].rows:
            case ForwardPass():
                self._score([cast(ForwardPass, part.rows) for part in parts], size)
            case PathGradients():
                self._follow([(cast(PathGradients, part.rows), part.start, part.stop) for part in parts], size)
            case TargetGradients():
                self._look([cast(TargetGradients, part.rows) for part in parts], size)
        for part in parts:
            part.rows.finished += part.stop - part.start

    def _score(self, scores: Sequence[ForwardPass], size: int) -> None:
        with torch.no_grad():
            logits = self.network(_batch([score.inputs for score in scores], size)).float().cpu()
            outputs = self._outputs(logits, scores[0].output)
        for number, score in enumerate(scores):
            score.logits, score.outputs = logits[number], outputs[number]

    def _follow(self, paths: Sequence[tuple[PathGradients, int, int]], size: int) -> None:
        rows: list[Tensor] = []
        targets: list[int] = []
        for path, start, stop in paths:
            alphas = torch.tensor(path.quadrature.alphas[start:stop], device=self.device).view(-1, 1, 1, 1)
            rows += path.baseline + alphas * (path.inputs - path.baseline)
            targets += [path.target] * (stop - start)
        batch = _batch(rows, size).requires_grad_()
        with torch.enable_grad():
            chosen = self._outputs(self.network(batch), paths[0][0].output)[range(len(targets)), targets]
        (gradients,) = torch.autograd.grad(chosen.sum(), batch)
        outputs, slopes = chosen.detach().double().cpu(), self._slopes(paths, gradients)
        at = 0
        for path, start, stop in paths:
            path.outputs[start:stop] = outputs[at : at + stop - start]
            path.slopes[start:stop] = slopes[at : at + stop - start]
            for weight in path.quadrature.weights[start:stop]:
                # row after row, so that the sum does not depend on where one batch ended and the next began
                path.gradient.add_(gradients[at], alpha=weight)
                at += 1

    def _slopes(self, paths: Sequence[tuple[PathGradients, int, int]], gradients: Tensor) -> Tensor:
        """Return the derivatives along the path at each of its rows, float64 on the CPU."""
        lines = [path.inputs - path.baseline for path, start, stop in paths for _ in range(start, stop)]
        each = [torch.sum(row * line, dtype=torch.float64) for row, line in zip(gradients, lines, strict=False)]
        return torch.stack(each).cpu()

    def _look(self, looks: Sequence[TargetGradients], size: int) -> None:
        first = looks[0]
        batch = _batch([look.inputs for look in looks], size).requires_grad_(first.guided)
        network, guidance = self.network, Guidance(relu6=first.guided_relu6)
        if first.activation:
            layer = self.layer()
            network, tap = tapped(network, layer, attached=first.guided)
        with torch.set_grad_enabled(first.guided):
            if first.guided:
                with guidance:
                    logits = network(batch)
            else:
                logits = network(batch)
            outputs = self._outputs(logits, first.output)
        for look, row in zip(looks, logits.detach().float().cpu(), strict=False):
            look.logits, look.guides = row, guidance.guides
            look.activation_gradients, look.gradients = [], []
            try:
                look.targets = look.subject.targets(row)
            except ExplanationError as error:
                look.error = error
        if first.activation:
            features = tap.kept()
            for look, row in zip(looks, maps(features.detach(), layer), strict=False):
                look.activations = row
            for look, row in _gradients(looks, outputs, features):
                look.activation_gradients.append(maps(row[None], layer)[0])
        if first.guided:
            guidance.on = True
            for look, row in _gradients(looks, outputs, batch):
                look.gradients.append(row)

    def _outputs(self, logits: Tensor, output: OutputName) -> Tensor:
        """Turn logits [N, C] into what is differentiated."""
        match output:
            case "logit":
                return logits.float()
            case "probability" if self.independent:
                return logits.float().sigmoid()
            case _:
                return logits.float().softmax(1)


def _gradients(looks: Sequence[TargetGradients], outputs: Tensor, at: Tensor) -> list[tuple[TargetGradients, Tensor]]:
    """Differentiate each look's targets with respect to its row of `at`: one backward pass for the first of each."""
    found = []
    for turn in range(max(len(look.targets) for look in looks)):
        rows = [number for number, look in enumerate(looks) if len(look.targets) > turn]
        chosen = outputs[rows, [looks[number].targets[turn] for number in rows]].sum()
        (gradients,) = torch.autograd.grad(chosen, at, retain_graph=True)
        found += [(looks[number], gradients[number]) for number in rows]
    return found


def _batch(rows: Sequence[Tensor], size: int) -> Tensor:
    filled = [*rows, *[rows[0]] * (size - len(rows))]
    # the memory format that the network's weights are in
    return torch.stack(filled).contiguous(memory_format=torch.channels_last)
