"""Protocol-neutral verbs: choose the deployment of a request, score it, and copy it to shadow deployments."""
