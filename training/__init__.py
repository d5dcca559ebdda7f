"""Labelled images -> a model folder: jobs, recipes, the loop, metrics, checkpoints and reports.

Of our packages it imports `settings`, `models` and `data`, never `server`.
"""
