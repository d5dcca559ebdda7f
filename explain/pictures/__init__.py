"""Drawings of attributions, made of numpy arrays and Pillow alone: any thread may draw, and no global state changes."""
