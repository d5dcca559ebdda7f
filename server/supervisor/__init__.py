"""The process that starts, watches and replaces all others, and changes which deployments get requests."""
