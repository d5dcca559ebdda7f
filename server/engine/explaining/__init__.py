"""Explaining in the engine: slices of explanations that share batches and let scoring run in between, and the reply.

Only work around `explain` belongs here: how explanations are computed and drawn is in that package.
"""
