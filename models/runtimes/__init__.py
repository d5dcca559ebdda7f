"""Runtimes: one file for each way to compute a network faster than layer by layer, with a constant RUNTIME."""
