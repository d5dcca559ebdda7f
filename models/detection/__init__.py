"""Detectors: how each family is fed and read, and what becomes of the boxes and masks that it finds."""
