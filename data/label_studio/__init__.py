"""The parts of a Label Studio export: which annotation of a task counts, and the objects that its regions are."""
