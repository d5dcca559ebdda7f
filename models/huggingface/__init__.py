"""Hugging Face: what the folders that transformers saves have in common, whatever their task."""
