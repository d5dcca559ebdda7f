"""What a run leaves on the disk, and how it is prepared: run folder, states, published model."""
