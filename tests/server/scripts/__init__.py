"""Tests of deployments of scoring scripts."""
