"""The process that starts, watches and replaces all others, and decides which deployments get requests."""
