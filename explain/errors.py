"""What goes wrong with explanations. Messages say what was given, what was expected and what to do."""


class ExplainError(ValueError):
    """An explanation cannot be given. `code` is stable for programs; the text is for the person who asked."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
