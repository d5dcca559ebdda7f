"""Which layers `layers_to_freeze` counts: groups of them, from the image on, as at AutoML for Images."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType

_STAGES = ("layer1", "layer2", "layer3", "layer4")
_BACKBONE = (("backbone.body.conv1", "backbone.body.bn1"), *((f"backbone.body.{stage}",) for stage in _STAGES))
_RESNET = (("conv1", "bn1"), *((stage,) for stage in _STAGES))

# Only the first twelve blocks of a vision transformer count, also where it has more
_GROUPS: Mapping[str, Sequence[Sequence[str]]] = MappingProxyType(
    {
        "resnet*": _RESNET,
        "resnest*": _RESNET,
        "seresnext": (("layer0",), *((stage,) for stage in _STAGES)),
        "mobilenetv2": tuple((f"features.{number}",) for number in range(19)),
        "vit*": (("patch_embed",), *((f"blocks.{number}",) for number in range(12))),
        "yolov5": tuple((str(number),) for number in range(10)),
        "fasterrcnn_*": _BACKBONE,
        "maskrcnn_*": _BACKBONE,
        "retinanet_*": _BACKBONE,
    }
)


def most_frozen(model_name: str) -> int:
    """Return how many groups of layers a model has that can be frozen; 0 where its layers are not known by name."""
    return len(_groups(model_name))


def frozen_prefixes(model_name: str, layers_to_freeze: int | None) -> tuple[str, ...]:
    """Return how the names of the parameters begin that are not trained, such as `layer1.`."""
    groups = _groups(model_name)[: layers_to_freeze or 0]
    return tuple(f"{name}." for group in groups for name in group)


def _groups(model_name: str) -> Sequence[Sequence[str]]:
    return next((groups for pattern, groups in _GROUPS.items() if fnmatchcase(model_name, pattern)), ())
