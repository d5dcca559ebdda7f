"""Executor: runs rows of work items through a network, one batch at a time. No other file runs a network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn

from explain.errors import ExplanationError
from explain.network.attention import AttentionReader
from explain.network.cam import CamReader, activation_maps, with_recorded_layers
from explain.network.explained_image import ExplainedImage, OutOfTime, no_time_limit
from explain.network.explained_network import ClassifierNetwork
from explain.network.guidance import Guidance
from explain.network.work_items import (
    ForwardPass,
    PathGradients,
    ScoredRows,
    TargetGradients,
    TargetMaps,
    TargetPass,
    WorkSlice,
)
from explain.request.targets import ExplainedTarget, TargetSelector
from models.architecture.attention_grid import AttentionGrid, no_attention
from models.architecture.cam_layer import CamLayer, earlier_cam_layers
from models.classifier import Classifier
from models.errors import ModelError
from models.runtime.side_by_side import side_by_side

NetworkPart: TypeAlias = Literal["cam_layer", "cam_layers", "attention"]
_Pass = TypeVar("_Pass", bound=TargetPass)


@dataclass(frozen=True, slots=True)
class Executor:
    """A network in evaluation mode on its `device`; its weights need no gradients. Running leaves it unchanged.

    `normalise` turns pixels [N, H, W, 3] in [0, 255] into inputs [N, 3, H, W]. `independent` says that each label has a
    probability of its own. Everything is computed in the precision of the weights. Several threads may run the same
    executor. Do not call it in inference mode: autograd refuses tensors made there. `cache` is that of ExplainedImage.
    `score` computes ScoredRows, as Classifier.outputs does; without it the network does.
    """

    network: nn.Module
    device: torch.device
    normalise: Callable[[Tensor], Tensor]
    cam_layer: Callable[[nn.Module], CamLayer]
    independent: bool = False
    attention: Callable[[nn.Module], AttentionGrid] = no_attention
    score: Callable[[Sequence[Tensor]], Sequence[Tensor]] | None = None
    cache: dict[object, Any] = field(default_factory=dict, init=False, compare=False)  # each network has its own

    @classmethod
    def for_model(
        cls, model: Classifier, score: Callable[[Sequence[Tensor]], Sequence[Tensor]] | None = None
    ) -> "Executor":
        """Return the executor of a loaded model, whose runtime is `score` where another than its own is faster."""
        return cls(
            model.network,
            model.device,
            model.preprocess.inputs,
            model.architecture.cam_layer,
            independent=model.definition.task.name == "multilabel",
            attention=model.architecture.attention,
            score=score or model.outputs,
        )

    def explained_image(
        self, pixels: Tensor, select_targets: TargetSelector, out_of_time: OutOfTime = no_time_limit
    ) -> ExplainedImage:
        """Prepare an image, uint8 [H, W, 3] on the CPU, as Classifier.picture returns it."""

        def normalise(values: Tensor) -> Tensor:
            # a copy, since normalising works in place
            return self.normalise(values.to(self.device, torch.float32, copy=True)[None])[0]

        network = ClassifierNetwork(self.network, self.independent)
        return ExplainedImage(pixels, normalise(pixels), normalise, network, select_targets, out_of_time, self.cache)

    def has(self, part: NetworkPart | None) -> bool:
        """Whether the network has a part that an algorithm reads; None is no part."""
        try:
            self.require(part)
        except ExplanationError:
            return False
        return True

    def require(self, part: NetworkPart | None) -> None:
        """Raise ExplanationError, code `algorithm_unsupported`, where the network lacks a part; None is no part."""
        match part:
            case "cam_layer":
                self.required_cam_layer()
            case "cam_layers":
                self.required_cam_layers()
            case "attention":
                self.required_attention()

    def required_cam_layer(self) -> CamLayer:
        """Return the layer that Grad-CAM reads; ExplanationError, code `algorithm_unsupported`, where there is none."""
        try:
            return self.cam_layer(self.network)
        except ModelError as error:
            raise ExplanationError("algorithm_unsupported", f"{error} Use xrai or integrated_gradients.") from None

    def required_cam_layers(self) -> tuple[CamLayer, ...]:
        """Return the layers that LayerCAM reads, from fine to coarse; the last is that of Grad-CAM.

        Raises ExplanationError, code `algorithm_unsupported`, where that makes no maps.
        """
        last = self.required_cam_layer()
        if last.prefix_tokens is not None:
            raise ExplanationError(
                "algorithm_unsupported",
                f"{type(self.network).__name__} has tokens, and no maps of several sizes. Use attention or gradcam.",
            )
        return (*earlier_cam_layers(self.network, last), last)

    def required_attention(self) -> AttentionGrid:
        """Return how attention lies over the image; ExplanationError, code `algorithm_unsupported`, without any."""
        try:
            return self.attention(self.network)
        except ModelError as error:
            raise ExplanationError("algorithm_unsupported", f"{error} Use layercam, gradcam or xrai.") from None

    def run(self, slices: Sequence[WorkSlice], size: int) -> None:
        """Run slices of items with equal keys as one batch, and store the results in the items.

        The batch is filled up to `size` rows. How a network rounds depends on the size of a batch, but neither on the
        other rows nor on their order, so a row gets the same bits in any company. On a CPU, path gradients whose size
        is a multiple of the threads are computed in parts of their own, one for each thread.

        If this raises, for example because memory ran out, no item has changed: the same slices can be run again one
        by one.
        """
        match slices[0].item:
            case ForwardPass():
                self._run_forward_passes([cast(ForwardPass, one.item) for one in slices], size)
            case PathGradients():
                self._run_path_gradients([(cast(PathGradients, one.item), one.start, one.stop) for one in slices], size)
            case TargetGradients():
                self._run_target_gradients([cast(TargetGradients, one.item) for one in slices], size)
            case TargetMaps():
                self._run_target_maps([cast(TargetMaps, one.item) for one in slices], size)
            case ScoredRows():
                self._run_scored_rows([(cast(ScoredRows, one.item), one.start, one.stop) for one in slices], size)
        for one in slices:
            one.item.finished += one.count

    def _run_forward_passes(self, items: Sequence[ForwardPass], size: int) -> None:
        with torch.no_grad():
            network = items[0].network
            logits = network.logits(_batch([item.inputs for item in items], size)).float().cpu()
            outputs = network.outputs(logits, items[0].output)
        for row, item in enumerate(items):
            item.logits, item.outputs = logits[row], outputs[row]

    def _run_path_gradients(self, paths: Sequence[tuple[PathGradients, int, int]], size: int) -> None:
        rows: list[Tensor] = []
        targets: list[ExplainedTarget] = []
        for path, start, stop in paths:
            alphas = torch.tensor(path.quadrature.alphas[start:stop], device=self.device).view(-1, 1, 1, 1)
            rows += path.baseline + alphas * (path.inputs - path.baseline)
            targets += [path.target] * (stop - start)
        selected, gradients = self._gradients_of(paths[0][0], rows, targets, size)
        outputs, slopes = selected.double().cpu(), self._slopes(paths, gradients)
        row = 0
        for path, start, stop in paths:
            path.outputs[start:stop] = outputs[row : row + stop - start]
            path.slopes[start:stop] = slopes[row : row + stop - start]
            for weight in path.quadrature.weights[start:stop]:
                # one row after the other, so that the sum does not depend on where a batch ended
                path.gradient.add_(gradients[row], alpha=weight)
                row += 1

    def _gradients_of(
        self, like: PathGradients, rows: Sequence[Tensor], targets: Sequence[ExplainedTarget], size: int
    ) -> tuple[Tensor, Tensor]:
        """Return the target's number of each row, [N], and its gradients, [N, 3, H, W].

        Network and kind of output are those of the item `like`.
        """
        network = like.network
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        apart = threads > 1 and size % threads == 0
        part_size = size // threads if apart else size

        def run(start: int) -> tuple[Tensor, Tensor]:
            wanted = targets[start : start + part_size]
            batch = _batch(rows[start : start + part_size], part_size).requires_grad_()
            with torch.enable_grad():
                outputs = network.outputs(network.logits(batch), like.output)
                selected = _numbers(outputs, range(len(wanted)), wanted)
            (gradients,) = torch.autograd.grad(selected.sum(), batch)
            return selected.detach(), gradients[: len(wanted)]

        if not apart:
            return run(0)
        # a part alone has a thread of its own too: how a network rounds also depends on the number of threads
        tasks = [partial(run, start) for start in range(0, len(rows), part_size)]
        outputs, gradients = zip(*side_by_side(threads).run(tasks), strict=True)
        return torch.cat(outputs), torch.cat(gradients)

    def _slopes(self, paths: Sequence[tuple[PathGradients, int, int]], gradients: Tensor) -> Tensor:
        """Return the derivative along the path at each row, float64 on the CPU."""
        directions = [path.inputs - path.baseline for path, start, stop in paths for _ in range(start, stop)]
        each = [torch.sum(row * line, dtype=torch.float64) for row, line in zip(gradients, directions, strict=False)]
        return torch.stack(each).cpu()

    def _run_target_gradients(self, items: Sequence[TargetGradients], size: int) -> None:
        first = items[0]
        batch = _batch([item.inputs for item in items], size).requires_grad_(first.guided)
        network, guidance = self.network, Guidance(relu6=first.guided_relu6)
        if first.activation:
            layer = self.required_cam_layer()
            network, (recorded,) = with_recorded_layers(network, [layer])
        with torch.set_grad_enabled(first.guided):
            if first.guided:
                with guidance:
                    logits = network(batch)
            else:
                logits = network(batch)
            outputs = first.image.network.outputs(logits, first.output)
        for item, row in zip(items, logits.detach().float().cpu(), strict=False):
            item.guided_relus = guidance.guided_relus
            item.activation_gradients, item.gradients = [], []
            item.select(row)
        if first.activation:
            features = recorded.features()
            for item, row in zip(items, activation_maps(features.detach(), layer), strict=False):
                item.activations = row
            for item, place, (gradients,) in _gradients(items, outputs, [features]):
                item.activation_gradients.append(activation_maps(gradients[place][None], layer)[0])
        if first.guided:
            guidance.on = True
            for item, place, (gradients,) in _gradients(items, outputs, [batch]):
                item.gradients.append(gradients[place])

    def _run_target_maps(self, items: Sequence[TargetMaps], size: int) -> None:
        first = items[0]
        batch = _batch([item.inputs for item in items], size)
        reader: AttentionReader | CamReader
        if first.part == "attention":
            reader = AttentionReader(self.network, self.required_attention(), size, batch.shape[-1])
        else:
            reader = CamReader(self.network, self.required_cam_layers())
        with torch.set_grad_enabled(reader.from_inputs), reader:
            logits = reader.network(batch.requires_grad_(reader.from_inputs))
            outputs = first.image.network.outputs(logits, first.output)
        for item, row in zip(items, logits.detach().float().cpu(), strict=False):
            item.maps = []
            item.select(row)
        for item, place, gradients in _gradients(items, outputs, reader.tensors()):
            item.maps.append(reader.maps(place, gradients))

    def _run_scored_rows(self, slices: Sequence[tuple[ScoredRows, int, int]], size: int) -> None:
        numbered = [(item, item.first + row) for item, start, stop in slices for row in range(start, stop)]
        rows = [item.row(number) for item, number in numbered]
        logits = (self.score or self._scores)(_filled(rows, size))
        for (item, number), row in zip(numbered, logits, strict=False):
            item.collect(number, row)

    def _scores(self, rows: Sequence[Tensor]) -> Sequence[Tensor]:
        with torch.no_grad():
            inputs = self.normalise(torch.stack(tuple(rows)).to(self.device, torch.float32))
            return list(self.network(inputs).float().cpu())


def _gradients(
    items: Sequence[_Pass], outputs: Tensor, at: Sequence[Tensor]
) -> Iterator[tuple[_Pass, int, tuple[Tensor, ...]]]:
    """Differentiate the targets of each item with respect to `at`; yields each item and its row in the batch.

    One backward pass serves the first targets of all items, the next one the second targets, and so on.
    """
    for turn in range(max(len(item.targets) for item in items)):
        rows = [row for row, item in enumerate(items) if len(item.targets) > turn]
        selected = _numbers(outputs, rows, [items[row].targets[turn] for row in rows])
        gradients = torch.autograd.grad(selected.sum(), at, retain_graph=True)
        for row in rows:
            yield items[row], row, gradients


def _numbers(outputs: Tensor, rows: Sequence[int], targets: Sequence[ExplainedTarget]) -> Tensor:
    """Take the number of each target from its row of outputs, [N, C]: [len(rows)]."""
    chosen = outputs[list(rows), [target.index for target in targets]]
    contrasts = [place for place, target in enumerate(targets) if target.against is not None]
    if not contrasts:
        return chosen
    references = torch.stack([targets[place].reference(outputs[rows[place]]) for place in contrasts])
    return chosen.index_add(0, torch.tensor(contrasts, device=chosen.device), references, alpha=-1)


def _batch(rows: Sequence[Tensor], size: int) -> Tensor:
    # the memory format that the network's weights are in
    return torch.stack(_filled(rows, size)).contiguous(memory_format=torch.channels_last)


def _filled(rows: Sequence[Tensor], size: int) -> list[Tensor]:
    return [*rows, *[rows[0]] * (size - len(rows))]
