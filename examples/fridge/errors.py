"""The error of the demo."""


class DemoError(Exception):
    """A demo or a data set cannot be made; the message says why and what to do."""
