"""Explanations in slices that share batches and let scoring go in between."""
