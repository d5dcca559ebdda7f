"""Weights that a training starts from: where they are found, and which of them a network takes."""
