"""Explanations in the engine: slices of them that share batches and let scoring run in between, and the reply.

How explanations are computed and drawn is in the package `explain`.
"""
