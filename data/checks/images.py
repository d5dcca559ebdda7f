"""The files of images: missing, unreadable, there twice, turned, or of another size than was said."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

from data.checks.fault_log import IMAGE_DROPPED, FaultLog
from data.errors import ImageUnavailableError
from data.headers import ImageFacts, image_facts
from data.progress import ProgressReport
from data.record import LabelledImage
from data.sources.image_store import ImageStore

_THREADS = 4 * (cpu_count() or 1)  # most of which wait for a disk or a network
_AT_ONCE = 64  # images a thread


@dataclass(frozen=True, slots=True)
class FoundImage:
    """Where an image is on this machine, and what its file says."""

    file: Path
    facts: ImageFacts


def look_at(
    images: Sequence[LabelledImage], store: ImageStore, fault_log: FaultLog, report: ProgressReport, *, deep: bool
) -> dict[str, FoundImage]:
    """Find the files of all images and read what they say; return it by URL, without those that cannot be had."""
    urls = list(dict.fromkeys(image.url for image in images))

    def look(url: str) -> FoundImage | ImageUnavailableError:
        try:
            file = store.file(url)
            return FoundImage(file, image_facts(file, deep=deep))
        except ImageUnavailableError as error:
            return error

    found: dict[str, FoundImage] = {}
    errors: dict[str, ImageUnavailableError] = {}
    threads = (cpu_count() or 1) if deep else _THREADS
    with report.bar(len(urls), "looking at images") as bar, ThreadPoolExecutor(threads) as pool:
        try:
            for start in range(0, len(urls), _AT_ONCE * threads):
                some = urls[start : start + _AT_ONCE * threads]
                for url, result in zip(some, pool.map(look, some), strict=True):
                    if isinstance(result, FoundImage):
                        found[url] = result
                    else:
                        errors[url] = result
                    bar.advance()
        except BaseException:  # such as Ctrl-C, which is not to wait for images that nobody wants
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for image in images:
        if (error := errors.get(image.url)) is not None:
            fault_log.add(image, error.fault, str(error), IMAGE_DROPPED)
    return found


def report_files(
    images: Sequence[LabelledImage], found: Mapping[str, FoundImage], fault_log: FaultLog, *, exif: bool
) -> None:
    """Report files that are there twice, turned, or of another size; `exif` says that images are turned later."""
    first: dict[str, LabelledImage] = {}
    for image in images:
        facts = found[image.url].facts
        _report_twin(image, facts, first, fault_log)
        if facts.orientation != 1 and not exif:
            fault_log.add(
                image,
                "turned",
                f"EXIF says to turn the image (orientation {facts.orientation}), which is used as stored. Use --exif "
                "if the labels were made on turned images.",
            )
        _report_size(image, facts, fault_log, exif=exif)


def _report_twin(image: LabelledImage, facts: ImageFacts, first: dict[str, LabelledImage], fault_log: FaultLog) -> None:
    twin = first.get(facts.sha256)
    what = "bytes"
    if twin is None and facts.pixels is not None:
        twin, what = first.get(facts.pixels), "pixels"
    first.setdefault(facts.sha256, image)
    if facts.pixels is not None:
        first.setdefault(facts.pixels, image)
    if twin is not None:
        differ = "" if (twin.labels, twin.objects) == (image.labels, image.objects) else ", and other labels"
        fault_log.add(image, "image_twice", f"The image has the same {what} as that of line {twin.line}{differ}.")


def _report_size(image: LabelledImage, facts: ImageFacts, fault_log: FaultLog, *, exif: bool) -> None:
    size = facts.turned_size if exif else facts.size
    if image.size is None or image.size == size:
        return
    if image.size == facts.turned_size and not exif:
        return  # reported as turned
    swapped = image.size == size[::-1]
    fault_log.add(
        image,
        "size_differs",
        f"The line says {image.size[0]}x{image.size[1]} pixels, and the image has {size[0]}x{size[1]}."
        + (" It was turned after it was labelled, or before." if swapped else ""),
    )
