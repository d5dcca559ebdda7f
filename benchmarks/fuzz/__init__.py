"""Throws mutated bodies at everything that parses what strangers send."""
