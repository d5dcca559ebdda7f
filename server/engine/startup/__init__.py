"""What happens before an engine is ready, and soon after: warm-up, assembly, the choice of a runtime."""
