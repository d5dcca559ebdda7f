import json

import pytest

from server.codecs.ranked_labels import ranked_labels


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ({"probs": [0.2, 0.7, 0.1], "labels": ["a", "b", "c"]}, [("b", 0.7), ("a", 0.2), ("c", 0.1)]),
        ({"probs": [0.5, 0.9, 0.9], "labels": [7, 5, 3]}, [(5, 0.9), (3, 0.9), (7, 0.5)]),
        ({"probs": [1e-30], "labels": ['\u00e4 "x"']}, [('\u00e4 "x"', 1e-30)]),
    ],
)
def test_the_best_comes_first(prediction: dict[str, object], expected: list[tuple[object, float]]) -> None:
    found = json.loads(ranked_labels(json.dumps(prediction).encode()))
    assert list(found) == [str(rank) for rank in range(len(expected))]
    assert [(each["label"], each["score"]) for each in found.values()] == expected


def test_what_explains_stays_as_it_is() -> None:
    more = {"visualizations": "iVBOR", "attributions": None, "explanations": [{"label": "a", "n_steps": 5}]}
    found = json.loads(ranked_labels(json.dumps({"probs": [1.0], "labels": ["a"], **more}).encode()))
    assert found == {"0": {"label": "a", "score": 1.0}, **more}


@pytest.mark.parametrize("other", [b'{"boxes": []}', b'{"error": {"code": "image_format", "message": "It is none."}}'])
def test_other_objects_stay_as_they_are(other: bytes) -> None:
    assert ranked_labels(other) == other
