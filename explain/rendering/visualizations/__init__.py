"""One file for each way to show attributions, each with a constant VISUALIZATION named like the file.

The folder is scanned, so it holds nothing else.
"""
