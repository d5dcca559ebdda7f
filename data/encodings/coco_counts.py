"""COCO's text of run lengths: differences to the run before the last one, in groups of five bits a character.

The form is that of pycocotools: the lowest group first, bit 6 says that another follows, bit 5 of the last is the sign.
"""

from collections.abc import Sequence

_OFFSET = 48
_MORE, _SIGN, _GROUP = 0x20, 0x10, 0x1F


def counts_of_text(text: str) -> tuple[int, ...]:
    """Return the run lengths in a text; ValueError where it is none."""
    counts: list[int] = []
    value = shift = 0
    for place, character in enumerate(text, 1):
        group = ord(character) - _OFFSET
        if not 0 <= group < 2 * _MORE:
            raise ValueError(f"character {place} of its mask is {character!r}, which no text of run lengths has")
        value |= (group & _GROUP) << shift
        shift += 5
        if group & _MORE:
            continue
        if group & _SIGN:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("the text of its mask ends in the middle of a number")
    return tuple(counts)


def text_of_counts(counts: Sequence[int]) -> str:
    """Return run lengths as a text."""
    characters = []
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        while True:
            group = value & _GROUP
            value >>= 5
            done = value == (-1 if group & _SIGN else 0)
            characters.append(chr((group if done else group | _MORE) + _OFFSET))
            if done:
                break
    return "".join(characters)
