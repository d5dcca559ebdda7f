"""Tests of the repository: its layout, docs and container."""
