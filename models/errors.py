"""What goes wrong with models and pictures. Messages say what was given, what was expected and what to do."""


class ModelError(Exception):
    """A model folder cannot be served. The text is complete sentences for the operator."""


class ImageError(ValueError):
    """A picture cannot be scored. `code` is stable for programs; the text is for the person who sent it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def first_line(error: Exception) -> str:
    """Return what an error of a library says, without the long story that may follow; its name if it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
