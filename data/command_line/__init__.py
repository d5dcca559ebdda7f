"""What the commands of `python -m data` share: options, reports of faults, files that they write."""
