"""gRPC beside HTTP: what a call has that a message has not."""
