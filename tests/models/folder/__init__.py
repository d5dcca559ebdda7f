"""Tests of model folders and the registry."""
