"""Tests of what processes of the server tell each other."""
