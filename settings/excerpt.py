"""Words of messages: quotes of what somebody gave, which stay short however long that is, and counts of things."""

from reprlib import Repr

_MOST_QUOTED = 200
_MOST_TEXT = 1000


def excerpt(value: object) -> str:
    """Return `repr(value)`, with dots instead of what is too long or too deep; at most 200 characters."""
    quoting = Repr()
    quoting.maxlevel, quoting.maxlist, quoting.maxdict = 3, 8, 4
    quoting.maxstring = quoting.maxlong = quoting.maxother = 100
    return shortened(quoting.repr(value), _MOST_QUOTED)


def shortened(text: str, most: int = _MOST_TEXT) -> str:
    """Return `text`, with dots in its middle where it has more than `most` characters."""
    if len(text) <= most:
        return text
    head = (most - 3) // 2
    return f"{text[:head]}...{text[len(text) - (most - 3 - head) :]}"


def counted(count: int, thing: str) -> str:
    """Return "1 image" or "1,920 images"; the plural of `thing` ends in s."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
