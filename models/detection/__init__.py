"""Detectors: how each family is fed and read, and how its boxes and masks become a prediction."""
