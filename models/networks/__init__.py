"""Building blocks and whole networks that no library has in the form of the checkpoints."""
