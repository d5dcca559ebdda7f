"""Fault: something wrong with a data set, where it is, and what was done about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `line` and `image` say where, `fault` is its code, `detail` a sentence, `done` what happens to it.

    `line` is counted from 1, and 0 for faults of the whole data set. `image` is the URL as written, or an empty text.
    `done` is "reported" where nothing is left out or changed, else what was: "image dropped", "box clipped" and so on.
    """

    line: int
    image: str
    fault: str
    detail: str
    done: str = "reported"
