"""FaultReport: what a command says of a data set that was checked."""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from data.check import FaultPolicy, check
from data.checks.fault_log import WARNED
from data.dataset import CheckedData, Dataset
from data.errors import DataRefusedError
from data.fault import Fault
from data.progress import ProgressReport
from data.sources.image_store import ImageStore
from models.labels import shown
from settings.excerpt import counted

WITH_FAULTS = 2
_MOST_LABELS = 20


@dataclass(frozen=True, slots=True)
class FaultReport:
    """The faults of a data set; `checked` is what is left of it, or None where it was refused, for `refusal`."""

    dataset: Dataset
    store: ImageStore
    faults: tuple[Fault, ...]
    checked: CheckedData | None = None
    refusal: str = ""

    @classmethod
    def of(cls, dataset: Dataset, store: ImageStore, policy: FaultPolicy) -> "FaultReport":
        """Check a data set, and show the progress on standard error."""
        try:
            checked = check(dataset, store, policy, ProgressReport())
        except DataRefusedError as error:
            return cls(dataset, store, error.faults, None, str(error))
        return cls(dataset, store, checked.faults, checked)

    @property
    def has_faults(self) -> bool:
        """Whether there is more than what is good to know."""
        return any(fault.done != WARNED for fault in self.faults)

    def print_faults(self, *, with_file: bool = False) -> None:
        """Print an object of JSON for each fault; with the key `file` where they are of several files.

        What is good to know of the whole data set is left to the summary.
        """
        utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        for fault in self.faults:
            if fault.line or fault.done != WARNED:
                found = asdict(fault) | ({"file": str(self.dataset.source)} if with_file else {})
                print(json.dumps(found, ensure_ascii=not utf8))

    def print_summary(self) -> None:
        """Print how many faults there are, and what is left, on standard error."""
        print("\n".join(self._summary()), file=sys.stderr)

    def _summary(self) -> Iterable[str]:
        yield from self.dataset.notes
        counts = Counter((fault.fault, fault.done) for fault in self.faults if fault.line or fault.done != WARNED)
        width = max((len(fault) for fault, _ in counts), default=0)
        for (fault, done), count in sorted(counts.items()):
            yield f"{count:>8}  {fault:<{width}}  {done}"
        for about_all in self.faults:
            if not about_all.line and about_all.done == WARNED:
                yield f"{about_all.fault}: {about_all.detail}"
        if self.store.found:
            yield "Images: " + ", ".join(f"{count} {how}" for how, count in self.store.found.most_common()) + "."
        if self.checked is None:
            yield f"error: {self.refusal}"
        else:
            labels = shown(self.checked.labels, _MOST_LABELS)
            images = counted(len(self.checked.images), "image")
            yield f"{self.dataset.source}: {images} for {self.checked.task}, labels {labels}"
