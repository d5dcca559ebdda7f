"""Runs scoring scripts: a pool of worker processes, the queue before them, and the runner in the user's Python."""
