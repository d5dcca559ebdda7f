"""A picture in, scores out: model folders, architectures, tasks, decoding. No HTTP, no queue.

Code only; model folders are data and live in a model root elsewhere. Imports settings and nothing else of ours.
"""
