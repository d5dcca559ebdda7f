"""Gradients along the straight line from a baseline to an image, and how complete their sum is."""
