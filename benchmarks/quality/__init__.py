"""The parts of benchmarks.explain_quality."""
