"""Tests of runtimes and of how far they agree."""
