"""Labels by suspicion: a mark in one label is found whatever share of it has one, and nothing where there is none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from explain.summary import label_summary
from explain.summary.image_maps import Maps
from explain.summary.images import SummaryImage
from explain.summary.label_summary import LabelSummary, MappedImage, summaries
from tests.support.drawn_maps import centred, marked, moving, spot


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def mapped(maps: Sequence[Maps], name: str = "plain") -> list[MappedImage]:
    return [
        MappedImage(SummaryImage(f"{name}_{number}", number, Path(), "", (1, 1), 1), values, 0.9)
        for number, values in enumerate(maps)
    ]


def named(label: LabelSummary, word: str) -> list[float]:
    """The share of the images in places of the label's own that are named so, and that of those named so in them."""
    images = [each.image.name for cluster in label.clusters if cluster.excess > 0 for each in cluster.images]
    right = sum(name.startswith(word) for name in images)
    total = sum(each.image.name.startswith(word) for each in label.images)
    return [right / max(len(images), 1), right / total]


@pytest.mark.parametrize("kind", [moving, centred])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 1.0])
def test_a_mark_is_found(rng: np.random.Generator, kind: object, share: float) -> None:
    assert callable(kind)
    count = round(60 * share)
    images = {"can": mapped(kind(rng, 60)), "carton": mapped(kind(rng, 60))}
    images["horse"] = mapped(kind(rng, 60 - count)) + mapped(marked(rng, count), "marked")
    first, *others = summaries(images, {})
    assert first.label == "horse"
    precision, recall = named(first, "marked")
    assert recall >= 0.9
    assert precision >= 0.7
    assert first.suspicion > 2 * max(each.suspicion for each in others)
    assert sum(len(cluster.images) for cluster in first.clusters) == 60


@pytest.mark.parametrize("kind", [moving, centred])
def test_nothing_is_suspicious_where_there_is_no_mark(rng: np.random.Generator, kind: object) -> None:
    assert callable(kind)
    found = summaries({label: mapped(kind(rng, 60)) for label in ("can", "carton", "horse")}, {})
    assert max(each.suspicion for each in found) < 0.1


def test_a_mark_in_all_labels_is_nobodys_own(rng: np.random.Generator) -> None:
    found = summaries({label: mapped(marked(rng, 40)) for label in ("can", "carton", "horse")}, {})
    assert max(each.suspicion for each in found) < 0.1
    assert min(each.alike or 0 for each in found) > 0.8, "but maps are alike"


def test_maps_that_are_spread_widely_are_in_no_place(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_summary, "clusters", lambda rows: np.zeros(len(rows), np.intp))
    upper = [spot(down, right).astype(np.float32) for down, right in rng.uniform((0.1, 0.1), (0.5, 0.9), (60, 2))]
    found = summaries({"upper": mapped(upper), "can": mapped(marked(rng, 60))}, {})
    assert {each.label: each.suspicion > 0.5 for each in found} == {"can": True, "upper": False}


def test_few_maps_are_not_compared(rng: np.random.Generator) -> None:
    found = {each.label: each for each in summaries({"can": mapped(moving(rng, 9)), "carton": []}, {"carton": 2})}
    assert found["can"].alike is None
    assert found["can"].clusters == ()
    assert (found["carton"].images, found["carton"].empty) == ((), 2)


def test_a_single_label_has_groups_and_no_suspicion(rng: np.random.Generator) -> None:
    (found,) = summaries({"can": mapped(centred(rng, 40)) + mapped(marked(rng, 15), "marked")}, {})
    assert found.suspicion == 0
    assert [len(cluster.images) for cluster in found.clusters] == [40, 15]
    assert {each.image.name[:6] for each in found.clusters[1].images} == {"marked"}
