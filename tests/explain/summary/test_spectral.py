"""Clusters of maps: as many as there are groups, none where maps only move, and always the same."""

import numpy as np
import pytest
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score

from explain.summary import spectral
from explain.summary.spectral import clusters, features
from tests.support.drawn_maps import centred, marked, moving, spot


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_overlap_is_one_for_the_same_map_and_zero_for_maps_apart() -> None:
    rows = features(np.stack([spot(0.2, 0.2), 7 * spot(0.2, 0.2), spot(0.8, 0.8), spot(0.25, 0.2)]))
    overlap = rows @ rows.T
    assert np.diag(overlap) == pytest.approx(1, abs=1e-5)
    assert overlap[0, 1] == pytest.approx(1, abs=1e-5)
    assert overlap[0, 2] < 0.01
    assert 0.5 < overlap[0, 3] < 1


def test_a_map_that_is_the_same_everywhere_has_features() -> None:
    assert np.isfinite(features(np.ones((1, 48, 48)))).all()


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_a_mark_beside_centred_objects_is_a_cluster_of_its_own(rng: np.random.Generator, share: float) -> None:
    count = round(60 * share)
    found = clusters(features(np.stack([*centred(rng, 60 - count), *marked(rng, count)])))
    assert found.max() == 1
    assert len(set(found[: 60 - count])) == len(set(found[60 - count :])) == 1


def test_maps_that_are_all_alike_are_one_cluster(rng: np.random.Generator) -> None:
    assert not clusters(features(np.stack(centred(rng, 60)))).any()
    assert not clusters(features(np.stack(marked(rng, 60)))).any()


def test_clusters_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    places = [(0.2, 0.2), (0.2, 0.8), (0.8, 0.5)]
    maps = [spot(*(np.array(places[number % 3]) + rng.normal(0, 0.03, 2))) for number in range(90)]
    rows = features(np.stack(maps))
    found = clusters(rows)
    similarity = (rows @ rows.T).clip(1e-6, 1).astype(np.float64) ** 4
    other = SpectralClustering(3, affinity="precomputed", random_state=0).fit_predict(similarity)
    assert found.max() == 2
    assert adjusted_rand_score(found, other) == 1
    assert adjusted_rand_score(found, np.arange(90) % 3) == 1


def test_of_many_maps_the_others_join_those_that_were_clustered(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = np.stack([*centred(rng, 60), *marked(rng, 60)])[rng.permutation(120)]
    whole = clusters(features(maps))
    monkeypatch.setattr(spectral, "_MOST_CLUSTERED", 50)
    assert adjusted_rand_score(clusters(features(maps)), whole) == 1


@pytest.mark.parametrize("count", [1, 2, 3, 4, 11])
def test_few_maps_can_be_clustered(rng: np.random.Generator, count: int) -> None:
    assert clusters(features(np.stack(moving(rng, count)))).shape == (count,)


def test_the_same_map_many_times_is_one_cluster() -> None:
    assert not clusters(features(np.stack([spot(0.3, 0.3)] * 30))).any()
