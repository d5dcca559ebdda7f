"""What a script replies: an object for each image, with the scores in it."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.labels import Label
from server.errors import ServiceError
from settings.excerpt import excerpt

EXPLANATION_KEYS = frozenset({"visualizations", "attributions", "explanations"})

_EXPECTED = 'To be explained, it has to reply [{"probs": [...], "labels": [...]}], an object for each image.'


@dataclass(frozen=True, slots=True)
class ScriptScores:
    """The scores of an image, and the label of each."""

    probs: Sequence[float]
    labels: Sequence[Label]


@dataclass(frozen=True, slots=True)
class ScriptReply:
    """The objects in a reply, one for each image. `alone` says that it is one object, `as_text` a text with JSON."""

    objects: list[Any]
    alone: bool
    as_text: bool

    @classmethod
    def of(cls, body: bytes) -> "ScriptReply":
        """Read a reply. ServiceError `algorithm_unsupported` where it is no JSON."""
        try:
            value = json.loads(body)
            as_text = isinstance(value, str)
            value = json.loads(value) if as_text else value
        except (ValueError, RecursionError):
            raise _unsupported(f"The script's reply is no JSON: {excerpt(body[:200])}") from None
        alone = not isinstance(value, list)
        return cls([value] if alone else value, alone, as_text)

    def scores(self, row: int, rows: int | None = None) -> ScriptScores:
        """Return the scores of an image, of `rows` in the request.

        ServiceError `algorithm_unsupported` where the reply has another form.
        """
        if rows is not None and len(self.objects) != rows:
            raise _unsupported(f"The script's reply has {len(self.objects)} values for {rows} images")
        if row >= len(self.objects):
            raise _unsupported(f"The script's reply has {len(self.objects)} values, none for the image in row {row}")
        found = self.objects[row]
        if not isinstance(found, dict) or not {"probs", "labels"} <= found.keys():
            keys = f"an object with the keys {excerpt([*found])}" if isinstance(found, dict) else excerpt(found)
            raise _unsupported(f"For the image in row {row}, the script replies {keys}")
        probs, labels = found["probs"], found["labels"]
        if not isinstance(probs, list) or not probs or not all(map(_is_number, probs)):
            raise _unsupported(f"The script's `probs` are {excerpt(probs)}; expected a list of numbers")
        if not isinstance(labels, list) or len(labels) != len(probs) or not all(map(_is_label, labels)):
            raise _unsupported(f"The script's `labels` are {excerpt(labels)}; expected {len(probs)} texts or numbers")
        return ScriptScores(probs, labels)

    def written(self) -> bytes:
        """Write the objects in the form that they came in."""
        text = json.dumps(self.objects[0] if self.alone else self.objects)
        return (json.dumps(text) if self.as_text else text).encode()


def _unsupported(what: str) -> ServiceError:
    return ServiceError("algorithm_unsupported", f"{what}. {_EXPECTED}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_label(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)
