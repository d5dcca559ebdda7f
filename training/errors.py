"""The error about training. Its message says what was given, what was expected and what to do."""


class TrainingError(Exception):
    """A run cannot start or go on. The text is whole sentences for the person who started it."""
