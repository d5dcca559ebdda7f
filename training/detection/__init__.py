"""What the training of all detectors shares: their objects, batches, losses and evaluation."""
