"""Tests of wire protocols and of what they read."""
