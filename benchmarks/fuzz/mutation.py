"""Mutation: samples of what a parser takes -> bodies that are nearly that, and some that are nothing like it.

Documents are changed as trees before they are written, and all of it byte by byte after. A seed fixes everything.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_LONGEST = 60_000  # bytes
_MOST_CHANGES = 5
_NUMBERS = (0, 1, -1, 255, 256, 65_536, 2**31, 2**32, 2**63, 10**30, 0.5, 1e999, float("nan"))
_ODD: tuple[Any, ...] = (None, True, False, "", "x", "\x00", "\ud800", "é" * 50, [], {}, [[]], [[[1]]], *_NUMBERS)
_BYTES = (b"", b"\0", b"\xff", b"\n", b"\r\n", b",", b'"', b"{", b"}", b"[", b"]", b"[" * 200, b"\xff\xd8", b"9" * 400)

Change = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Sample:
    """Something that a parser takes: a line about it, such as its content type; a JSON document; bytes that follow.

    In `line`, LENGTH stands for the length of the written document.
    """

    line: str = ""
    document: Any = None
    tail: bytes = b""


class Mutator:
    """Makes bodies, each a line and what it is about. `words` are keys and values that mean something to the parser."""

    def __init__(self, samples: Sequence[Sample], words: Sequence[Any], seed: int) -> None:
        self._samples = samples
        self._words = (*words, *_ODD)
        self._random = random.Random(seed)
        self._changes: Sequence[Change] = (
            self._flipped,
            self._replaced,
            self._cut,
            self._repeated,
            self._moved,
            self._filled,
            self._with_word,
        )

    def body(self) -> bytes:
        """Return the next body."""
        draw = self._random
        sample = draw.choice(self._samples)
        document = sample.document
        if document is not None and draw.random() < 0.8:
            document = json.loads(json.dumps(document))  # a copy
            for _ in range(draw.randint(1, _MOST_CHANGES)):
                document = self._tree(document)
        text = (
            b""
            if document is None
            else json.dumps(document, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
        )
        line = sample.line.replace("LENGTH", str(len(text))).encode()
        content = text + sample.tail
        if draw.random() < 0.2:
            line = self._bytes(line)
        if draw.random() < (0.3 if document is not None else 0.95):
            content = self._bytes(content)
        return line.replace(b"\n", b" ") + b"\n" + content[:_LONGEST]

    def _tree(self, value: Any) -> Any:
        """Change one place in a document."""
        draw = self._random
        if isinstance(value, dict) and value and draw.random() < 0.8:
            key = draw.choice(list(value))
            what = draw.random()
            if what < 0.6:
                return value | {key: self._tree(value[key])}
            if what < 0.75:
                return {name: inner for name, inner in value.items() if name != key}
            return value | {str(draw.choice(self._words)): value[key]}
        if isinstance(value, list) and value and draw.random() < 0.8:
            place = draw.randrange(len(value))
            what = draw.random()
            if what < 0.6:
                return [*value[:place], self._tree(value[place]), *value[place + 1 :]]
            if what < 0.8:
                return [*value[:place], *value[place + 1 :]]
            return value * draw.randint(2, 4) if len(value) < 200 else value
        return draw.choice(
            [draw.choice(self._words), [value], {str(draw.choice(self._words)): value}, json.dumps(value), value]
        )

    def _bytes(self, content: bytes) -> bytes:
        for _ in range(self._random.randint(1, _MOST_CHANGES)):
            content = self._random.choice(self._changes)(content)
        return content

    def _place(self, content: bytes) -> int:
        # what is at the start is read first and decides most
        end = len(content) if self._random.random() < 0.5 else min(len(content), 100)
        return self._random.randint(0, end)

    def _flipped(self, content: bytes) -> bytes:
        place = self._place(content)
        flipped = bytes(byte ^ (1 << self._random.randrange(8)) for byte in content[place : place + 1])
        return content[:place] + flipped + content[place + 1 :]

    def _replaced(self, content: bytes) -> bytes:
        place, count = self._place(content), self._random.randint(1, 8)
        return content[:place] + self._random.randbytes(count) + content[place + count :]

    def _cut(self, content: bytes) -> bytes:
        place = self._place(content)
        return content[:place] + content[place + self._random.randint(1, max(1, len(content))) :]

    def _repeated(self, content: bytes) -> bytes:
        place = self._place(content)
        part = content[place : place + self._random.randint(1, 200)]
        return content[:place] + part * self._random.randint(2, 9) + content[place:]

    def _moved(self, content: bytes) -> bytes:
        one, two = sorted((self._place(content), self._place(content)))
        return content[two:] + content[:one] + content[one:two]

    def _filled(self, content: bytes) -> bytes:
        place = self._place(content)
        return content[:place] + self._random.choice(_BYTES) + content[place:]

    def _with_word(self, content: bytes) -> bytes:
        place, word = self._place(content), self._random.choice(self._words)
        written = json.dumps(word) if self._random.random() < 0.5 else str(word)
        return content[:place] + written.encode("utf-8", "surrogatepass") + content[place:]
