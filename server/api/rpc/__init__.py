"""gRPC: the Open Inference Protocol's second half. Needs the extra `grpc`, so only `process` imports it, when asked."""
