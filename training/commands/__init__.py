"""The commands of `python -m training`: one file each, with a constant `COMMAND`."""
