"""Sends mutated bodies to everything that parses what strangers send."""
