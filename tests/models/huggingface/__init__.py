"""Tests of folders of transformers, against the library."""
