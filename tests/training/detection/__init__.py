"""Tests of the training of detectors."""
