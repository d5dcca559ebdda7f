"""Runtimes: one file for each way to compute a network, with a constant RUNTIME."""
