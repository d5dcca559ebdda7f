"""Clients: requests as the hosted endpoint's tutorials send them, each a script, and a typed client to copy."""
