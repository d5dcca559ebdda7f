"""The commands of `python -m explain`: each file defines a COMMAND."""
