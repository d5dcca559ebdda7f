"""The predictions that a model should be most ashamed of: the highest losses, and objects missed or made up."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.record import Box, LabelledImage, LabelledObject
from models.labels import Label, named
from training.reports.run_record import number

_LEAST = 1e-15  # a probability of 0 has no logarithm
_THRESHOLD = 0.5  # of a label that is predicted, and of the IoU of a box that is found
_SURE = 0.9  # right predictions above that are nothing to be ashamed of
_EDGES = ("topX", "topY", "bottomX", "bottomY")


@dataclass(frozen=True, slots=True)
class WorstPrediction:
    """One image with its truth and what was predicted.

    `badness` orders them, the worst is the highest. `labels` are predicted labels with their probabilities, `objects`
    predicted objects with their scores. `verdict` says in words what is wrong.
    """

    image: LabelledImage
    badness: float
    verdict: str
    labels: tuple[tuple[Label, float], ...] = ()
    objects: tuple[LabelledObject, ...] = ()
    scores: tuple[float, ...] = ()


def worst_predictions(
    task: str, images: Sequence[LabelledImage], predictions: Sequence[Mapping[str, Any]], most: int
) -> list[WorstPrediction]:
    """Return the worst predictions with anything wrong in them, the worst first; those of other images are skipped."""
    truth = {image.url: image for image in images}
    judge = {"multiclass": _multiclass, "multilabel": _multilabel}.get(task, _objects)
    found = []
    for each in predictions:
        image = truth.get(str(each.get("image_url")))
        judged = judge(image, each) if image is not None else None
        if judged is not None:
            found.append(judged)
    return sorted(found, key=lambda one: -one.badness)[:most]


def _scores(prediction: Mapping[str, Any]) -> list[tuple[Label, float]]:
    labels, probabilities = prediction.get("labels") or (), prediction.get("probs") or ()
    pairs = [(label, number(value)) for label, value in zip(labels, probabilities, strict=False)]
    return [(label, value) for label, value in pairs if value is not None and isinstance(label, (str, int))]


def _multiclass(image: LabelledImage, prediction: Mapping[str, Any]) -> WorstPrediction | None:
    scores = _scores(prediction)
    if not scores or not image.labels:
        return None
    guess, confidence = max(scores, key=lambda pair: pair[1])
    true = next((value for label, value in scores if named(label) == named(image.labels[0])), 0.0)
    loss = -math.log(max(true, _LEAST))
    if named(guess) == named(image.labels[0]):
        if confidence > _SURE:
            return None
        verdict = f"right, but only {confidence:.0%} sure"
    else:
        verdict = f"{true:.1%} for {named(image.labels[0])}"
    return WorstPrediction(image, loss, f"{verdict}; loss {loss:.2f}", ((guess, confidence),))


def _multilabel(image: LabelledImage, prediction: Mapping[str, Any]) -> WorstPrediction | None:
    scores = _scores(prediction)
    if not scores:
        return None
    true = {named(label) for label in image.labels}
    losses = [-math.log(max(value if named(label) in true else 1 - value, _LEAST)) for label, value in scores]
    predicted = tuple((label, value) for label, value in scores if value > _THRESHOLD)
    names = {named(label) for label, _ in predicted}
    missed, extra = sorted(true - names), sorted(names - true)
    parts = [f"misses {', '.join(missed)}"] * bool(missed) + [f"adds {', '.join(extra)}"] * bool(extra)
    loss = sum(losses) / len(losses)
    if not parts and loss < -math.log(_SURE):
        return None
    return WorstPrediction(image, loss, f"{', '.join(parts) or 'right'}; loss {loss:.2f}", predicted)


def _objects(image: LabelledImage, prediction: Mapping[str, Any]) -> WorstPrediction | None:
    entries = prediction.get("boxes")
    if not isinstance(entries, Sequence):
        return None
    read = [found for entry in entries if (found := _predicted(entry)) is not None]
    read.sort(key=lambda pair: -pair[1])
    shown = [(one, score) for one, score in read if score >= _THRESHOLD]
    unfound = [each for each in image.objects if not each.crowd]
    extra, sureness = 0, 0.0
    for one, score in shown:
        near = [each for each in unfound if named(each.label) == named(one.label)]
        best = max(near, key=lambda each: _overlap(each.box, one.box), default=None)
        if best is not None and _overlap(best.box, one.box) >= _THRESHOLD:
            # By identity, since equal objects may be there twice
            unfound = [each for each in unfound if each is not best]
        elif not any(each.crowd and _overlap(each.box, one.box) > 0 for each in image.objects):
            extra, sureness = extra + 1, sureness + score
    if not unfound and not extra:
        return None
    verdict = ", ".join([f"{len(unfound)} missed"] * bool(unfound) + [f"{extra} not there"] * bool(extra))
    return WorstPrediction(
        image,
        len(unfound) + sureness,
        verdict,
        objects=tuple(one for one, _ in shown),
        scores=tuple(score for _, score in shown),
    )


def _predicted(entry: Any) -> tuple[LabelledObject, float] | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("box"), Mapping):
        return None
    edges, score, label = (
        [number(entry["box"].get(edge)) for edge in _EDGES],
        number(entry.get("score")),
        entry.get("label"),
    )
    if None in edges or score is None or not isinstance(label, (str, int)):
        return None
    left, top, right, bottom = (edge or 0.0 for edge in edges)
    polygons = tuple(tuple(outline) for outline in entry.get("polygon") or ())
    return LabelledObject(label, (left, top, right, bottom), polygons), score


def _overlap(one: Box, other: Box) -> float:
    """Return the IoU of two boxes."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return wide * high / (areas - wide * high)
