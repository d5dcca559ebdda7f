"""Other servers of Python, each in an environment of its own, scoring the same images with the same weights."""
