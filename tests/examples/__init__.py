"""Tests of the demo, its images and networks, and of the example clients."""
