"""Explanations of boxes: whether they point at what they should, and what they cost."""
