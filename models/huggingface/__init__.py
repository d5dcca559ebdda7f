"""Hugging Face: reads the folders that transformers saves, and feeds and reads their networks."""
