"""Labels: the names of what a model tells apart, as its files give them and as replies repeat them.

They are texts, or whole numbers, which the trainer of AutoML for Images takes from its data as they are and the hosted
endpoint writes as numbers. Whatever a text holds is served: nothing at all, line breaks, the same text twice.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from settings.excerpt import excerpt, shortened

Label = str | int

_INT64 = range(-(2**63), 2**63)
# Processes tell each other the labels in the fields of a frame, which have a bound
_MOST_BYTES = 4 * 2**20
_MOST_SHOWN = 80  # characters


def checked_labels(value: Any) -> tuple[Label, ...]:
    """Return the labels in a list that a file gave.

    ValueError where they are not texts or whole numbers, are mixed, cannot be written as UTF-8 or are too long.
    """
    given = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(given, (list, tuple)) or not given:
        raise ValueError(f"the labels are {excerpt(value)}; expected a list of texts or of whole numbers, one a class")
    labels = tuple(_label(index, each) for index, each in enumerate(given))
    if len({isinstance(label, str) for label in labels}) > 1:
        raise ValueError("some labels are texts and others numbers; expected only texts, or only whole numbers")
    size = len(json.dumps(labels))
    if size > _MOST_BYTES:
        raise ValueError(f"the labels take {size} bytes as JSON; expected at most {_MOST_BYTES}. Shorten them")
    return labels


def shown(labels: Sequence[Label], most: int) -> str:
    """Return the first labels as one line for people, long ones cut short and special characters escaped."""
    names = [_shown(label) for label in labels[:most]]
    return ", ".join(names) + (", ..." if len(labels) > most else "")


def named(label: Label) -> str:
    """Return a label as a text, which is what a number is called where only texts can be written."""
    return label if isinstance(label, str) else str(label)


def _shown(label: Label) -> str:
    text = named(label)
    return shortened(text if text.isprintable() and text else repr(text), _MOST_SHOWN)


def _label(index: int, value: Any) -> Label:
    label = value.item() if isinstance(value, np.generic) else value
    if isinstance(label, bool) or not isinstance(label, (str, int)):
        raise ValueError(f"label {index} is {excerpt(label)}; expected a text or a whole number. Correct it")
    if isinstance(label, int):
        if label not in _INT64:
            raise ValueError(f"label {index} is a number of {label.bit_length()} bits; expected at most 63, or a text")
        return label
    try:
        label.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"label {index} is {excerpt(label)}, which is no Unicode text: half of a surrogate pair is left of bytes "
            "that were not UTF-8. Correct it, and save the model again"
        ) from None
    return str(label)
