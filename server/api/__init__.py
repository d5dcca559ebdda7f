"""HTTP and nothing else: routes, keys, health, administration, request ids, and the process that serves them."""
