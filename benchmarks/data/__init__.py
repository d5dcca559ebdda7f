"""What it takes to read, check and convert labelled images."""
