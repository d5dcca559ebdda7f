"""Explains what a script scores: by RISE, which needs its scores alone. Runs beside the pool, without PyTorch.

Each masked image is a request of its own in the queue of the script, so other requests get their turns in between.
"""
