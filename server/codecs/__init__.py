"""Bytes to values and back: bodies, forms, base64, tensors, and the options of each image. No PyTorch."""
