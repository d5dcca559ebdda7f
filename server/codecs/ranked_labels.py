"""A classifier's prediction -> labels with their scores, the best first: {"0": {"label": ..., "score": ...}, "1": ...}.

MLflow writes the predictions of a model of transformers so, a column for each rank, and hosted endpoints of Hugging
Face models that AutoML trained reply with it.
"""

import json

import msgspec

from models.labels import Label


def ranked_labels(prediction: bytes) -> bytes:
    """Rewrite a JSON object with `probs` and `labels`; all other keys, such as those of an explanation, stay.

    Labels of the same score stay in the order of training. An object of another kind is returned as it is.
    """
    parts = msgspec.json.decode(prediction, type=dict[str, msgspec.Raw])
    if "probs" not in parts:
        return prediction
    probs = msgspec.json.decode(parts.pop("probs"), type=list[float])
    labels = msgspec.json.decode(parts.pop("labels"), type=list[Label])
    best_first = sorted(zip(probs, labels, strict=True), key=lambda pair: -pair[0])
    ranked = json.dumps({str(rank): {"label": label, "score": prob} for rank, (prob, label) in enumerate(best_first)})
    # an explanation may be megabytes of JSON, so it is joined as bytes
    others = [b", %s: %s" % (json.dumps(key).encode(), bytes(value)) for key, value in parts.items()]
    return b"".join([ranked.encode()[:-1], *others, b"}"])
