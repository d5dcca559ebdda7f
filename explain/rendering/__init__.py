"""Draws attributions as PNG files, with numpy and Pillow alone. No global state changes, so any thread may draw."""
