"""Connections of clients: bounds on their number, age and headers, and strict HTTP. Knows nothing of routes."""
