"""Draws attributions with numpy and Pillow alone: any thread may draw, and no global state changes."""
