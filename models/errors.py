"""The errors about models and images. Messages say what was given, what was expected and what to do."""


class ModelError(Exception):
    """A model folder cannot be served. The text is whole sentences for the operator."""


class ImageError(ValueError):
    """An image cannot be scored. `code` is stable for programs; the text is for the person who sent the image."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def first_line(error: Exception) -> str:
    """Return the first line of the message of a library's error, or its class name where there is no message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
