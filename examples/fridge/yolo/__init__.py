"""The yolov5 demo model."""
