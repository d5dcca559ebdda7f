"""The Faster R-CNN and Mask R-CNN demo models."""
