"""Mutation: samples of what a parser takes become bodies that are nearly that, and some that are nothing like it.

Documents are changed as trees before they are written; lines, documents and tails are changed byte by byte after.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_LONGEST = 60_000  # bytes
_MOST_CHANGES = 5
_NUMBERS = (0, 1, -1, 255, 256, 65_536, 2**31, 2**32, 2**63, 10**30, 0.5, 1e999, float("nan"))
_ODD: tuple[Any, ...] = (None, True, False, "", "x", "\x00", "\ud800", "é" * 50, [], {}, [[]], [[[1]]], *_NUMBERS)
_BYTES = (b"", b"\0", b"\xff", b"\n", b"\r\n", b",", b'"', b"{", b"}", b"[", b"]", b"[" * 200, b"\xff\xd8", b"9" * 400)


@dataclass(frozen=True, slots=True)
class Sample:
    """Something that a parser takes: a line about it, such as its content type; a JSON document; bytes that follow.

    In `line`, LENGTH stands for the length of the written document.
    """

    line: str = ""
    document: Any = None
    tail: bytes = b""


class Mutator:
    """Makes bodies from samples: a line, a line feed, and at most 60,000 bytes that the line is about.

    `words` are keys and values that mean something to the parser. The seed decides all bodies.
    """

    def __init__(self, samples: Sequence[Sample], words: Sequence[Any], seed: int) -> None:
        self._samples = samples
        self._words = (*words, *_ODD)
        self._random = random.Random(seed)

    def body(self) -> bytes:
        """Return the next body."""
        draw = self._random
        sample = draw.choice(self._samples)
        text = b""
        if sample.document is not None:
            document = sample.document
            for _ in range(draw.randint(1, _MOST_CHANGES) if draw.random() < 0.8 else 0):
                document = self._changed(document)
            text = json.dumps(document, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
        line = sample.line.replace("LENGTH", str(len(text))).encode()
        content = text + sample.tail
        if draw.random() < 0.2:
            line = self._spliced(line)
        if draw.random() < (0.3 if sample.document is not None else 0.95):
            content = self._spliced(content)
        return line.replace(b"\n", b" ") + b"\n" + content[:_LONGEST]

    def _changed(self, value: Any) -> Any:
        """Return a document that differs from `value` in one place; `value` stays as it is."""
        draw = self._random
        if isinstance(value, dict) and value and draw.random() < 0.8:
            key = draw.choice(list(value))
            what = draw.random()
            if what < 0.6:
                return value | {key: self._changed(value[key])}
            if what < 0.75:
                return {name: inner for name, inner in value.items() if name != key}
            return value | {str(draw.choice(self._words)): value[key]}
        if isinstance(value, list) and value and draw.random() < 0.8:
            place = draw.randrange(len(value))
            what = draw.random()
            if what < 0.6:
                return [*value[:place], self._changed(value[place]), *value[place + 1 :]]
            if what < 0.8:
                return [*value[:place], *value[place + 1 :]]
            return value * draw.randint(2, 4) if len(value) < 200 else value
        word = draw.choice(self._words)
        return draw.choice([word, [value], {str(draw.choice(self._words)): value}, json.dumps(value), value])

    def _spliced(self, content: bytes) -> bytes:
        """Return `content` with up to five places changed."""
        draw = self._random
        for _ in range(draw.randint(1, _MOST_CHANGES)):
            # what is at the start is read first and decides most
            start = draw.randint(0, len(content) if draw.random() < 0.5 else min(len(content), 100))
            few, many = start + draw.randint(1, 8), start + draw.randint(1, max(1, len(content)))
            piece, end = draw.choice(
                (
                    (bytes(byte ^ 1 << draw.randrange(8) for byte in content[start : start + 1]), start + 1),
                    (draw.randbytes(few - start), few),
                    (draw.choice(_BYTES), start),
                    (self._word(), start),
                    (content[start:many][:200] * draw.randint(2, 9), start),
                    (b"", many),
                    (content[many:], many),
                )
            )
            content = content[:start] + piece + content[end:]
        return content

    def _word(self) -> bytes:
        word = self._random.choice(self._words)
        return (json.dumps(word) if self._random.random() < 0.5 else str(word)).encode("utf-8", "surrogatepass")
