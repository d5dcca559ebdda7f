"""Tests of decoding and preprocessing."""
