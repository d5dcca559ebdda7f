"""Why a model gave its score: attributions and their pictures. No HTTP, no queue.

Imports settings and models and nothing else of ours.
"""
