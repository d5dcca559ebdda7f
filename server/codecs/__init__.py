"""Bytes to values and back: bodies, forms, base64, tensors, and what a request says of each image. No PyTorch."""
