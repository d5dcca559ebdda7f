"""Tests of engines: schedulers, pipelines, devices, runtimes."""
