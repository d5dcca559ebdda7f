"""Decode workers: processes that decode images and submit whole batches to the engine of a GPU."""
