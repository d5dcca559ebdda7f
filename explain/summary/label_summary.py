"""LabelSummary: what is said of one label, by the maps of all images that were explained for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.summary.box_shares import BoxShare, mean_share
from explain.summary.image_maps import Maps
from explain.summary.images import SummaryImage
from explain.summary.spectral import Features, centre, clusters, features

FEWEST = 10
"""Maps of a label that are compared with each other; fewer say nothing."""

_LEFT_OUT = 0.1  # of a cluster's maps, those farthest from its centre, as a place is where most of them lie
_ERRORS = 3.0  # standard errors by which a share has to exceed another one; clusters are where maps are dense anyhow
_FEWEST_IN_PLACE = 3
_ALIKE_IN_PLACE = 0.6  # overlap of two of its maps, on average: what is spread further is no place


@dataclass(frozen=True, slots=True)
class MappedImage:
    """An image with the map of one label: float32 [SIDE, SIDE] from 0 to 1, not 0 everywhere.

    `wrong` says that the data gives the image other labels than the one predicted, or that the model predicts another
    one than was given; None where nobody knows. `boxes` is None where the image has no box that counts.
    """

    image: SummaryImage
    values: Maps
    score: float
    wrong: bool | None = None
    boxes: BoxShare | None = None


@dataclass(frozen=True, slots=True)
class MapCluster:
    """Images whose maps lie in the same place, the most usual first; or all others of a label.

    `here` is the share of the label's maps that lie there, `elsewhere` that of other labels' maps: the median of these
    labels, None where there are none. `excess` is by how much the first exceeds the second, and 0 where that may be
    chance.
    """

    images: tuple[MappedImage, ...]
    here: float
    elsewhere: float | None = None
    excess: float = 0.0

    @property
    def boxes(self) -> BoxShare | None:
        """The mean shares inside of boxes, of the images that have any."""
        return mean_share([each.boxes for each in self.images if each.boxes is not None])


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """One label: its images with maps, and how many have a map that is 0 everywhere.

    `alike` is how much two of its maps overlap on average, from 0 to 1; None for fewer than FEWEST maps, of which there
    are no `clusters` either. The clusters in places of their own are first.
    """

    label: str
    images: tuple[MappedImage, ...]
    empty: int = 0
    alike: float | None = None
    clusters: tuple[MapCluster, ...] = ()

    @property
    def suspicion(self) -> float:
        """By how much more of the label's maps lie in one place than of other labels', from 0 to 1; 0 for chance."""
        return max((cluster.excess for cluster in self.clusters), default=0.0)

    @property
    def wrong(self) -> int | None:
        """How many images are wrong; None where nobody knows of any."""
        known = [each.wrong for each in self.images if each.wrong is not None]
        return sum(known) if known else None

    @property
    def boxes(self) -> BoxShare | None:
        """The mean shares inside of boxes, of the images that have any."""
        return mean_share([each.boxes for each in self.images if each.boxes is not None])


def mean_map(images: Sequence[MappedImage]) -> Maps:
    """Return the mean of maps, each as shares of its sum: float32 [SIDE, SIDE]."""
    return np.asarray(np.mean([each.values / each.values.sum() for each in images], axis=0), np.float32)


def summaries(images: Mapping[str, Sequence[MappedImage]], empty: Mapping[str, int]) -> list[LabelSummary]:
    """Return what is said of each label, the most suspicious first; `empty` counts maps that are 0 everywhere."""
    groups = {label: _MapGroup.of(some) for label, some in images.items() if len(some) >= FEWEST}
    few = [label for label in dict.fromkeys((*images, *empty)) if label not in groups]
    found = [LabelSummary(label, tuple(images.get(label, ())), empty.get(label, 0)) for label in few]
    rows = {label: group.rows for label, group in groups.items()}
    first = [group.summary(label, _others(rows, label), empty.get(label, 0)) for label, group in groups.items()]
    # Once more without what was found: beside a label that looks elsewhere, all others would seem to have own places
    left = dict(rows)
    for before in sorted(first, key=_order):
        label, group = before.label, groups[before.label]
        again = group.summary(label, _others(left, label) or _others(rows, label), empty.get(label, 0))
        left[label] = group.outside(again)
        found.append(again)
    return sorted(found, key=_order)


def _order(label: LabelSummary) -> tuple[float, float, str]:
    return -label.suspicion, -(label.alike or 0), label.label


def _others(rows: Mapping[str, Features], label: str) -> list[Features]:
    return [each for other, each in rows.items() if other != label and len(each) >= FEWEST]


@dataclass(frozen=True, slots=True)
class _MapGroup:
    """The maps of a label, as rows that are compared, and the number of the cluster of each."""

    images: tuple[MappedImage, ...]
    rows: Features
    numbers: NDArray[np.intp]

    @classmethod
    def of(cls, images: Sequence[MappedImage]) -> "_MapGroup":
        rows = features(np.stack([each.values for each in images]))
        return cls(tuple(images), rows, clusters(rows))

    def summary(self, label: str, others: Sequence[Features], empty: int) -> LabelSummary:
        return LabelSummary(label, self.images, empty, _alike(self.rows), tuple(self._clusters(others)))

    def outside(self, summary: LabelSummary) -> Features:
        """Return the rows of the images that are in no place of the label's own."""
        inside = {id(each) for cluster in summary.clusters if cluster.excess > 0 for each in cluster.images}
        return self.rows[[id(each) not in inside for each in self.images]]

    def _clusters(self, others: Sequence[Features]) -> list[MapCluster]:
        """Part the maps into places of the label's own and all others.

        Without other labels nobody knows what is a place of its own: then these are all clusters, the largest first.
        """
        found = [np.flatnonzero(self.numbers == number) for number in range(int(self.numbers.max()) + 1)]
        found.sort(key=len, reverse=True)
        if not others:
            return [MapCluster(self._usual_first(members), len(members) / len(self.rows)) for members in found]
        places: list[MapCluster] = []
        taken = np.zeros(len(self.rows), bool)
        for members in found:
            left = members[~taken[members]]
            if len(left) < _FEWEST_IN_PLACE or _alike(self.rows[left]) < _ALIKE_IN_PLACE:
                continue
            there, elsewhere, excess = _place(self.rows, others, left)
            if excess > 0:
                # a cluster may have been parted from others of the same place
                every = np.union1d(left, np.flatnonzero(there & ~taken))
                places.append(MapCluster(self._usual_first(every), float(there.mean()), elsewhere, excess))
                taken[every] = True
        places.sort(key=lambda place: -place.excess)
        rest = np.flatnonzero(~taken)
        return places + ([MapCluster(self._usual_first(rest), len(rest) / len(self.rows))] if len(rest) else [])

    def _usual_first(self, members: NDArray[np.intp]) -> tuple[MappedImage, ...]:
        rows = self.rows[members]
        order = np.argsort(-(rows @ centre(rows)), kind="stable")
        return tuple(self.images[index] for index in members[order])


def _alike(rows: Features) -> float:
    """Return how much two of some maps overlap on average."""
    count = len(rows)
    return float((np.square(rows.sum(0, dtype=np.float64)).sum() - count) / (count * (count - 1)))


def _place(
    own: Features, others: Sequence[Features], members: NDArray[np.intp]
) -> tuple[NDArray[np.bool_], float, float]:
    """Return which of a label's maps lie where some of them do, the share of others' maps there, and the excess."""
    middle = centre(own[members])
    near = np.quantile(own[members] @ middle, _LEFT_OUT)
    there = own @ middle >= near
    here, elsewhere = float(there.mean()), float(np.median([(rows @ middle >= near).mean() for rows in others]))
    # a median is no surer than its labels of fewest maps
    count, counts = len(own), len(others) * min(map(len, others))
    pooled = (here * count + elsewhere * counts) / (count + counts)
    error = np.sqrt(pooled * (1 - pooled) * (1 / count + 1 / counts))
    return there, elsewhere, here - elsewhere if here - elsewhere > _ERRORS * error else 0.0
