"""YOLOv5 in its form of 2020, whose checkpoints name layers by number only, such as `0.conv.conv.weight`."""

from models.architecture.architecture import DetectorArchitecture, Family
from models.detection.yolov5_adapter import YoloAdapter
from models.networks.yolov5 import build_yolov5
from settings.model import YoloSettings


def _architecture(name: str) -> DetectorArchitecture:
    return DetectorArchitecture(name, build=build_yolov5, adapter=YoloAdapter(), settings=YoloSettings)


FAMILY = Family(("yolov5",), _architecture)
