"""Carries images from bytes to predictions: CPU threads, the device, and the bookkeeping of requests."""
