"""The start of an engine: loading, warm-up, assembly of the pipeline, and the choice of a runtime."""
