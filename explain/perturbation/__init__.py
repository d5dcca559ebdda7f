"""Explains by hiding parts of an image, and looking at what its scores do: for whatever has scores, but no gradients.

Masks and maps are NumPy arrays, since scripts are explained without PyTorch; `torch.from_numpy` shares their memory.
"""
