"""Runs the failures that a server claims to survive, on ours and on others, and says what was lost."""
