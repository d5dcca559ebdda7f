"""Masks, their weighted maps, and the algorithms that hide parts of an image."""
