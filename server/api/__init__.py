"""HTTP and nothing else: routes, keys, probes, administration, request ids, and the process that serves them."""
