"""What the training of every task uses."""
