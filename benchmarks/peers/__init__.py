"""Other servers of Python, each in an environment of its own, scoring the same pictures with the same weights."""
