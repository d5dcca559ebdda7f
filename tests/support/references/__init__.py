"""Algorithms once more, written plainly, to compare the product with."""
