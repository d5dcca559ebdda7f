"""Runs scoring scripts: a pool of worker processes, the queue of requests, and the runner in the user's Python."""
