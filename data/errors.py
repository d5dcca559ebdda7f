"""The errors about labelled images. Messages say what was given, what was expected and what to do."""

from data.fault import Fault


class DataError(Exception):
    """A data set cannot be used at all. The text is whole sentences for the person who gave it."""


class DataRefusedError(DataError):
    """A data set has faults that its user does not accept: `faults` are all of it."""

    def __init__(self, message: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(message)
        self.faults = faults


class ImageUnavailableError(Exception):
    """The file of one image cannot be had. `fault` is the code of a Fault, the text its detail."""

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
