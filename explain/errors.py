"""What a request for an explanation gets wrong. Messages say what was given, what was expected and what to do."""


class ExplanationError(ValueError):
    """An explanation cannot be given. `code` is stable for programs; the text is for the person who asked.

    Codes: `xai_parameters_invalid`, `algorithm_unknown`, `algorithm_unsupported` (by this network), `target_unknown`,
    and `attribution_invalid` where there is nothing that can be drawn or encoded.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
