"""Outcomes -> JSON objects, one for each image."""

import json
from collections.abc import Sequence

from server.codecs.ranked_labels import ranked_labels
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure, Outcome


def error_object(failure: Failure) -> dict[str, dict[str, str]]:
    """Return what stands in the place of an image that is reported instead of rejected."""
    return {"error": {"code": failure.code, "message": failure.message}}


def json_objects(outcomes: Sequence[Outcome]) -> list[bytes]:
    """Return the outcomes as JSON objects, in their order. Predictions come from the engine as such already."""
    return [
        json.dumps(error_object(outcome)).encode() if isinstance(outcome, Failure) else outcome for outcome in outcomes
    ]


def hosted_objects(outcomes: Sequence[Outcome], model: ModelFacts) -> list[bytes]:
    """Return the outcomes as JSON objects as the hosted endpoint and MLflow's server reply with for a model."""
    objects = json_objects(outcomes)
    return [ranked_labels(each) for each in objects] if model.ranks_labels else objects
