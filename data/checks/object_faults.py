"""ObjectFaults: the faults of the objects in one image, before it is known whether any of them is left."""

from data.checks.fault_log import IMAGE_DROPPED, OBJECT_DROPPED, REPORTED, FaultLog
from data.record import LabelledImage
from models.labels import Label


class ObjectFaults:
    """Collects faults of the objects in `image`. `place` and `label` are those of the object that is looked at."""

    def __init__(self, image: LabelledImage) -> None:
        self._image = image
        self._found: list[tuple[str, str, str]] = []
        self.place = 0
        self.label: Label = ""

    def dropped(self, fault: str, detail: str) -> None:
        """Add a fault for which the object is left out."""
        self._add(fault, detail, OBJECT_DROPPED)

    def mended(self, fault: str, detail: str, done: str) -> None:
        """Add a fault for which the object is changed."""
        self._add(fault, detail, done)

    def reported(self, fault: str, detail: str) -> None:
        """Add a fault that changes nothing."""
        self._add(fault, detail, REPORTED)

    def write(self, fault_log: FaultLog, *, some_left: bool) -> None:
        """Add what was found to the faults of the data set.

        Where no object is left, the image is dropped: what it shows is unknown, so it is no background.
        """
        for fault, detail, done in self._found:
            fault_log.add(
                self._image, fault, detail, IMAGE_DROPPED if done == OBJECT_DROPPED and not some_left else done
            )

    def _add(self, fault: str, detail: str, done: str) -> None:
        self._found.append((fault, f"Object {self.place} ({self.label!r}): {detail.rstrip('.')}.", done))
