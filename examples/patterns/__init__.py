"""Drawn images whose labels are textures: discs and squares of stripes or checks before clutter, with their masks."""
