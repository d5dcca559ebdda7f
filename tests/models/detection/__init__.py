"""Tests of detectors, against references."""
