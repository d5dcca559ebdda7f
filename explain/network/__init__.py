"""Runs the forward and backward passes that explanations need, in batches, without leaving a trace on a network."""
