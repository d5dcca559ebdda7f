"""Detectors of transformers (https://huggingface.co/docs/transformers), from its folders: DETR and its successors."""

from functools import partial
from types import MappingProxyType

from models.architecture.architecture import DetectorArchitecture, Family
from models.errors import ModelError
from models.huggingface.network import Outputs, load_network
from models.huggingface.query_adapter import QueryAdapter, Rule, network_input
from models.huggingface.saved import SavedModel, only_saved
from settings.model import QueryDetectionSettings

_RULES: MappingProxyType[str, Rule] = MappingProxyType(
    {
        "detr": "exclusive",
        "table-transformer": "exclusive",
        "yolos": "exclusive",
        "conditional_detr": "independent",
        "deformable_detr": "independent",
        "rt_detr": "independent",
        "rt_detr_v2": "independent",
        "d_fine": "independent",
    }
)
_OUTPUTS = ("logits", "pred_boxes")
# For these the library returns as many boxes as there are queries, for the others 100
_ALL_QUERIES = ("rt_detr", "rt_detr_v2", "d_fine")


def _architecture(saved: SavedModel) -> DetectorArchitecture:
    rule = _RULES.get(saved.kind)
    if rule is None:
        raise ModelError(f"{saved.name} is not supported. Of detectors those of {', '.join(_RULES)} are.")
    saved.verify_preprocessing(partial(network_input, saved.spec))
    return DetectorArchitecture(
        saved.name,
        build=lambda classes, settings: Outputs(saved.network(saved.config), *_OUTPUTS, masked=True),
        load=lambda state, file: Outputs(
            load_network(saved.network, saved.config, state, file), *_OUTPUTS, masked=True
        ),
        adapter=QueryAdapter(saved.spec, rule),
        settings=QueryDetectionSettings,
        library_defaults={"box_detections_per_img": saved.config.num_queries} if saved.kind in _ALL_QUERIES else {},
    )


FAMILY = Family(("transformers/*ForObjectDetection",), only_saved, _architecture)
