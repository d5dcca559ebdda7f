"""Tests of routes on the real server."""
