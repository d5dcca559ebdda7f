"""One file for each way to show a map, found by its name; each holds a constant VISUALIZATION."""
