"""Supervision: the process that starts, watches and replaces all others, and what it and they say to each other."""
