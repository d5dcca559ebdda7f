"""The way of images from bytes to predictions: CPU threads, the device thread, and the pending requests."""
