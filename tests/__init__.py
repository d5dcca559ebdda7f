"""Tests, one file per module, and the helpers they share."""
