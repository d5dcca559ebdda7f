"""MaskFormer and Mask2Former of transformers (https://huggingface.co/docs/transformers), from its folders."""

from functools import partial
from types import MappingProxyType

from models.architecture.architecture import DetectorArchitecture, Family
from models.errors import ModelError
from models.huggingface.mask_adapter import MaskAdapter
from models.huggingface.network import Outputs, load_network
from models.huggingface.query_adapter import network_input
from models.huggingface.saved import SavedModel, only_saved
from settings.model import QuerySegmentationSettings

# The side of the square that masks are enlarged to, by the name of the network
_SIDES: MappingProxyType[str, int | None] = MappingProxyType(
    {
        "transformers/MaskFormerForInstanceSegmentation": None,
        "transformers/Mask2FormerForUniversalSegmentation": 384,
    }
)
_OUTPUTS = ("class_queries_logits", "masks_queries_logits")


def _architecture(saved: SavedModel) -> DetectorArchitecture:
    if saved.spec.pad is not None:
        raise ModelError(f"{saved.processor_file}: with a pad_size, masks would cover the padding too. Leave it out.")
    saved.verify_preprocessing(partial(network_input, saved.spec))
    return DetectorArchitecture(
        saved.name,
        build=lambda classes, settings: Outputs(saved.network(saved.config), *_OUTPUTS),
        load=lambda state, file: Outputs(load_network(saved.network, saved.config, state, file), *_OUTPUTS),
        adapter=MaskAdapter(saved.spec, _SIDES[saved.name]),
        tasks=("segmentation",),
        settings=QuerySegmentationSettings,
    )


FAMILY = Family(tuple(_SIDES), only_saved, _architecture)
