"""FaultLog: the faults of a data set, as they are found."""

from collections.abc import Iterable

from data.fault import Fault
from data.record import LabelledImage
from settings.excerpt import shortened

REPORTED = "reported"
WARNED = "warned"
"""What is done about that which is no fault of a line, but good to know: a data set with nothing else is clean."""
IMAGE_DROPPED = "image dropped"
OBJECT_DROPPED = "object dropped"

_MOST_URL = 1000  # characters; those of an image in its own URL are millions
_MOST_DETAIL = 600


class FaultLog:
    """Collects faults; a text that is long is cut in its middle."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = list(faults)

    def add(self, image: LabelledImage, fault: str, detail: str, done: str = REPORTED) -> None:
        """Add a fault of one image."""
        self._faults.append(
            Fault(image.line, shortened(image.url, _MOST_URL), fault, shortened(detail, _MOST_DETAIL), done)
        )

    def about_all(self, fault: str, detail: str) -> None:
        """Add what is to be said of the whole data set."""
        self._faults.append(Fault(0, "", fault, shortened(detail, _MOST_DETAIL), WARNED))

    def by_line(self) -> tuple[Fault, ...]:
        """Return the faults by line, those of a line in the order in which they were found."""
        return tuple(sorted(self._faults, key=lambda fault: fault.line))
