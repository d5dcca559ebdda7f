"""The errors about labelled images. Messages say what was given, what was expected and what to do."""


class DataError(Exception):
    """A data set cannot be used at all. The text is whole sentences for the person who gave it."""


class ImageUnavailableError(Exception):
    """The file of one image cannot be had. `fault` is the code of a Fault, the text its detail."""

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
