"""Small detectors of every family whose boxes are explained, and the explanation of an image by one of them."""

from pathlib import Path
from typing import Any

from explain.detection.executor import DetectorExecutor
from explain.detection.run import explain_boxes
from explain.detection.steps import ObjectExplanation
from explain.request.parameters import read_parameters
from models.detector import Detector
from models.loaded import load
from models.networks.yolov5 import SIZES
from tests.support.folders.detector_folders import write_detector_folder
from tests.support.folders.transformers_folders import save
from tests.support.images import LIMITS, encoded, painted
from tests.support.seeded_yolov5 import seeded_yolov5

TORCHVISION = ("fasterrcnn_resnet18_fpn", "maskrcnn_resnet18_fpn", "retinanet_resnet50_fpn")
QUERIES = (
    "DetrForObjectDetection",
    "ConditionalDetrForObjectDetection",
    "DeformableDetrForObjectDetection",
    "YolosForObjectDetection",
    "RTDetrForObjectDetection",
    "DFineForObjectDetection",
)
MASK_QUERIES = ("MaskFormerForInstanceSegmentation", "Mask2FormerForUniversalSegmentation")
NAMES = (*TORCHVISION, "yolov5", *QUERIES, *MASK_QUERIES)
IMAGE = encoded(painted(3, 150, 100), "PNG")


def explained_detector(name: str, folder: Path) -> Detector:
    """Write a folder with a seeded detector, and load it."""
    if name in TORCHVISION:
        write_detector_folder(folder, name)
    elif name == "yolov5":
        settings = {"img_size": 96, "model_size": "small", "box_score_thresh": 0.2}
        write_detector_folder(folder, name, base=settings, state=seeded_yolov5(SIZES["s"]).state_dict())
    else:
        save(folder, name)
    model = load(folder)
    assert isinstance(model, Detector)
    return model


def explained(model: Detector, parameters: dict[str, Any], data: bytes = IMAGE, **settings: Any) -> ObjectExplanation:
    """Explain an image at once, with other settings of the model where they are given."""
    image = model.read(data, LIMITS, model.settings(settings))
    given = read_parameters(parameters).for_kind("detector")
    return explain_boxes(DetectorExecutor(lambda: model), image, model.definition.labels, given)
