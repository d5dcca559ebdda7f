"""Models that need no weights, and parts of an engine around them."""
