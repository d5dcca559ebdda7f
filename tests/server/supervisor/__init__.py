"""Tests of starts, ends and changes of deployments."""
