"""One file for each family of detectors: which of its numbers stand for a box, and the maps that they depend on."""
