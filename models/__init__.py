"""An image in, scores out: model folders, architectures, tasks, decoding. No HTTP, no queue.

Code only; model folders are data and live in a model root elsewhere. Of our packages it imports only settings.
"""
