"""ShownImage: one line of a data set with what was kept of it and its faults; and which lines are shown."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from data.checks.fault_log import IMAGE_DROPPED
from data.checks.labels import labels_of
from data.dataset import CheckedImage, Dataset
from data.fault import Fault
from data.record import LabelledImage, LabelledObject
from models.labels import Label, named
from settings.excerpt import shortened

_MOST_NAME = 160


@dataclass(frozen=True, slots=True)
class ShownImage:
    """One image as it is shown.

    `image` holds what is kept of it, and all that was written where it is part of another line. `checked` is None
    where it is left out. `faulty` are objects that were dropped or changed, as written. `line` and `url` say where it
    stands, even if it is no image.
    """

    line: int
    url: str
    image: LabelledImage | None
    checked: CheckedImage | None
    faulty: tuple[LabelledObject, ...]
    faults: tuple[Fault, ...]

    @property
    def name(self) -> str:
        """The URL, as long as people read it; an image in its own URL has millions of letters."""
        return shortened(self.url, _MOST_NAME)

    @property
    def labels(self) -> tuple[Label, ...]:
        """All labels of the image, also those that were dropped, each once."""
        kept = labels_of(self.image) if self.image else ()
        return tuple(dict.fromkeys((*kept, *(each.label for each in self.faulty))))


def shown_images(dataset: Dataset, checked: Sequence[CheckedImage], faults: Sequence[Fault]) -> list[ShownImage]:
    """Put together the lines of a data set, in their order; `faults` are all of its faults."""
    by_line: defaultdict[int, list[Fault]] = defaultdict(list)
    for fault in faults:
        by_line[fault.line].append(fault)
    kept = {each.image.line: each for each in checked}
    found = {}
    for written in dataset.images:
        mended = kept.get(written.line)
        # Compared by their places, since labels may have been renamed
        places = {(each.box, each.polygons) for each in mended.image.objects} if mended else set()
        faults_here = tuple(by_line.pop(written.line, ()))
        whole = any(fault.done == IMAGE_DROPPED for fault in faults_here)
        faulty = tuple(
            each for each in written.objects if whole or (mended and (each.box, each.polygons) not in places)
        )
        image = mended.image if mended else replace(written, objects=()) if whole else written
        found[written.line] = ShownImage(written.line, written.url, image, mended, faulty, faults_here)
    for line, unread in by_line.items():
        if line > 0:
            found[line] = ShownImage(line, unread[0].image, None, None, (), tuple(unread))
    return [found[line] for line in sorted(found)]


def sampled(images: Sequence[ShownImage], most: int) -> list[ShownImage]:
    """Choose images, and keep their order: one of each label, rare ones first, then others by a hash of their URL.

    The same images are chosen on every machine.
    """
    mixed = sorted(images, key=lambda each: hashlib.sha256(each.url.encode("utf-8", "surrogatepass")).digest())
    counts: Counter[Label] = Counter(label for each in images for label in each.labels)
    first: dict[Label, ShownImage] = {}
    for each in mixed:
        for label in each.labels:
            first.setdefault(label, each)
    chosen = {}
    for label in sorted(counts, key=lambda label: (counts[label], named(label))):
        chosen[first[label].line] = first[label]
    for each in mixed:
        chosen.setdefault(each.line, each)
    return sorted(list(chosen.values())[:most], key=lambda each: each.line)
