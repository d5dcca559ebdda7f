"""ExplanationError: an explanation that cannot be given. Messages say what was given, what was expected, what to do."""


class ExplanationError(ValueError):
    """An explanation cannot be given. `code` is stable, for programs; the text is for the person who asked.

    Codes: `xai_parameters_invalid`, `algorithm_unknown`, `algorithm_unsupported` (by this network), `target_unknown`,
    `box_invalid`, `box_unmatched` (nothing of the network is near a client's box),
    `attribution_invalid` (values that cannot be drawn or encoded), and `deadline_exceeded` (by its predicted time).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
