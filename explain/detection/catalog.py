"""Finds the family of a loaded detector."""

from explain.detection.families.anchors import AnchorFamily
from explain.detection.families.mask_queries import MaskQueryFamily
from explain.detection.families.queries import QueryFamily
from explain.detection.families.regions import RegionFamily
from explain.detection.families.yolov5 import YoloFamily
from explain.detection.family import DetectorFamily
from models.detection.torchvision_adapter import TorchvisionAdapter
from models.detection.yolov5_adapter import YoloAdapter
from models.detector import Detector
from models.huggingface.mask_adapter import MaskAdapter
from models.huggingface.query_adapter import QueryAdapter
from models.networks.yolov5 import YoloV5


def family_of(model: Detector) -> DetectorFamily:
    """Return how a detector is explained."""
    network = model.network
    match model.adapter:
        case TorchvisionAdapter() as adapter if hasattr(network, "roi_heads"):
            return RegionFamily(network, adapter)
        case TorchvisionAdapter() as adapter:
            return AnchorFamily(network, adapter)
        case YoloAdapter() as adapter:
            assert isinstance(network, YoloV5)
            return YoloFamily(network, adapter)
        case QueryAdapter() as adapter:
            return QueryFamily(network, adapter)
        case MaskAdapter() as adapter:
            return MaskQueryFamily(network, adapter)
        case adapter:
            raise TypeError(f"no family for {type(adapter).__name__}")
