"""The training loop and its parts: batches, optimizer, learning rates, early stopping, precision, processes."""
