"""One file for each algorithm, each with a constant ALGORITHM named like the file. To add an algorithm, add a file.

The folder is scanned, so it holds nothing else. Algorithms do not import each other.
"""
