"""Explains why a model gave its score: from a request's parameters to attributions and their drawings.

No HTTP and no queue. Imports `settings` and `models`, and nothing else of this project; the programs in `commands` and
`summary`, which nothing else imports, read labelled images by `data`.
"""
