"""One file per algorithm, each with a constant ALGORITHM. Adding an algorithm is adding a file."""
