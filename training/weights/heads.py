"""Heads: the tensors whose rows belong to labels, and how those rows are laid out."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from models.labels import Label

# Names of tensors of detectors -> rows that belong to no label, at the start of each group; rows for each label
_DETECTORS: Sequence[tuple[str, int, int]] = (
    (r"roi_heads\.box_predictor\.cls_score\.\w+", 1, 1),  # the background first
    (r"roi_heads\.box_predictor\.bbox_pred\.\w+", 1, 4),  # four values of a box
    (r"roi_heads\.mask_predictor\.mask_fcn_logits\.\w+", 1, 1),
    (r"head\.classification_head\.cls_logits\.\w+", 0, 1),  # for each of the anchors
    (r"\d+\.m\.\d\.(?:weight|bias)", 5, 1),  # yolov5: box and objectness first, for each of three anchors
)
_YOLO_ANCHORS = 3


@dataclass(frozen=True, slots=True)
class HeadLayout:
    """How the rows of a tensor are laid out: `groups` times (`fixed` + labels) times `per_label`."""

    groups: int
    fixed: int
    per_label: int

    def labels_of(self, tensor: Tensor) -> int | None:
        """Return how many labels a tensor of this layout has; None where it cannot have it."""
        units, rest = divmod(tensor.shape[0] if tensor.dim() else 0, self.groups * self.per_label)
        return None if rest or units <= self.fixed else units - self.fixed

    def merged(self, own: Tensor, given: Tensor, rows: Mapping[int, int]) -> Tensor:
        """Return `own` with the fixed rows of `given` and those of its labels; `rows` maps labels of own to given."""
        merged = own.clone().reshape(self.groups, -1, self.per_label, *own.shape[1:])
        source = given.reshape(self.groups, -1, self.per_label, *given.shape[1:]).to(merged.dtype)
        merged[:, : self.fixed] = source[:, : self.fixed]
        for mine, theirs in rows.items():
            merged[:, self.fixed + mine] = source[:, self.fixed + theirs]
        return merged.reshape(own.shape)


def head_layouts(network: nn.Module, labels: int) -> dict[str, HeadLayout]:
    """Return the tensors of a network's head by their names; `labels` is their number, without a background."""
    names = network.state_dict().keys()
    found = {
        name: HeadLayout(_groups(network, name, fixed, labels), fixed, per_label)
        for pattern, fixed, per_label in _DETECTORS
        for name in names
        if re.fullmatch(pattern, name)
    }
    return found or dict(_of_classifier(network, labels))


def _groups(network: nn.Module, name: str, fixed: int, labels: int) -> int:
    if fixed == 1:
        return 1
    return _YOLO_ANCHORS if fixed else network.state_dict()[name].shape[0] // labels


def _of_classifier(network: nn.Module, labels: int) -> Iterator[tuple[str, HeadLayout]]:
    """Yield the tensors of the last layer that has an output for each label."""
    layers = [
        name
        for name, module in network.named_modules()
        if (isinstance(module, nn.Linear) and module.out_features == labels)
        or (isinstance(module, nn.Conv2d) and module.out_channels == labels)
    ]
    for name, _ in network.get_submodule(layers[-1]).named_parameters() if layers else ():
        yield f"{layers[-1]}.{name}", HeadLayout(1, 0, 1)


def same_labels(own: Sequence[Label], given: Sequence[Label]) -> dict[int, int]:
    """Return which labels of `own` are which of `given`, by their places. The text of a number is that number."""
    places: dict[str, int] = {}
    for place, label in enumerate(given):
        places.setdefault(str(label), place)
    return {place: places[str(label)] for place, label in enumerate(own) if str(label) in places}
