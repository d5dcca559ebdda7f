"""The parts of a COCO document: its images and categories by id, and the objects that annotations describe."""
