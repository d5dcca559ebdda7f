"""Servers, loads and ceilings that the benchmarks share."""
