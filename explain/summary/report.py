"""write_summary: explains the images of a job, and writes what their maps have in common as one page."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from data.drawing.html_page import write_whole
from data.errors import DataError
from data.fault import Fault
from data.progress import ProgressReport
from explain.summary.box_shares import BoxGrid
from explain.summary.explaining import ImageExplainer
from explain.summary.figures import FigureDrawer
from explain.summary.image_maps import ImageMaps
from explain.summary.images import SummaryData, SummaryImage
from explain.summary.job import SummaryJob
from explain.summary.label_summary import LabelSummary, MappedImage, summaries
from explain.summary.map_folder import MapFolder
from explain.summary.page import LabelFigures, SummaryFacts, summary_page
from models.labels import shown
from settings.excerpt import counted

_MOST_LABELS = 40  # with figures; the table has all
_MOST_CLUSTERS = 4  # of a label
_EXAMPLES = 7
_MOST_NAMED = 8  # labels


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written: labels by suspicion, and the faults of images that were left out."""

    page: Path
    labels: tuple[LabelSummary, ...]
    faults: tuple[Fault, ...]


class _LabelCollector:
    """Collects the maps of each label."""

    def __init__(self, job: SummaryJob, grid: BoxGrid) -> None:
        self.images: defaultdict[str, list[MappedImage]] = defaultdict(list)
        self.empty: Counter[str] = Counter()
        self.unexplained = 0
        self.beyond = 0
        self._job, self._grid = job, grid
        self._labels = job.labels

    def add(self, image: SummaryImage, maps: ImageMaps) -> None:
        self.unexplained += not maps.selected
        self.beyond += bool(maps.selected) and not maps.maps
        for target, score in zip(maps.selected, maps.scores, strict=True):
            if target not in maps.maps:
                continue
            label, values = self._labels[target], maps.maps[target]
            if not values.any():
                self.empty[label] += 1
                continue
            boxes = self._grid.share(image, label, values)
            self.images[label].append(MappedImage(image, values, score, self._wrong(image, target, maps), boxes))

    def _wrong(self, image: SummaryImage, target: int, maps: ImageMaps) -> bool | None:
        if self._job.explain == "labelled":
            return None if self._job.is_multilabel else maps.best != target
        return self._labels[target] not in image.labels if image.labels else None


def write_summary(
    job: SummaryJob, data: SummaryData, output: Path, report: ProgressReport, *, exif: bool = False
) -> Summary:
    """Explain images, and write the page; maps are kept in a folder beside it, named like it with the end .maps.

    `exif` says that boxes are of images as EXIF turns them. DataError where nothing can be explained or the folder has
    maps of another job, ExplanationError and ModelError as of ImageExplainer, OSError where it cannot be written.
    """
    wanted = _explainable(job, data)
    folder = MapFolder(output.with_name(f"{output.stem}.maps"))
    collector = _LabelCollector(job, BoxGrid(job.model.preprocess, frozenset(job.labels), exif))
    with folder.opened(job.description()):
        explainer = ImageExplainer(job, folder, report)
        for image, maps in explainer.each(wanted):
            collector.add(image, maps)
        faults = (*data.faults, *explainer.faults)
        if not collector.images and not collector.empty and not collector.unexplained:
            raise DataError(f"No image could be explained. The first is {faults[0].image}: {faults[0].detail}")
        found = summaries(collector.images, collector.empty)
        figures = _figures(job, found, report)
        about = _about(job, data, collector, output.stem, len(wanted))
        page = summary_page(about, found, figures, faults)
        write_whole(output, page.encode("utf-8", "replace"))
    return Summary(output, tuple(found), faults)


def _explainable(job: SummaryJob, data: SummaryData) -> Sequence[SummaryImage]:
    if job.explain == "predicted":
        return data.images
    wanted = [image for image in data.images if job.targets_of(image)]
    if not wanted:
        theirs = shown(sorted(data.labels), _MOST_NAMED) or "none"
        raise DataError(
            f"No image has a label of the model. Labels of the images: {theirs}. Labels of the model: "
            f"{shown(job.labels, _MOST_NAMED)}. Give the data that it was trained on, or use --explain predicted."
        )
    return wanted


def _figures(job: SummaryJob, labels: Sequence[LabelSummary], report: ProgressReport) -> dict[str, LabelFigures]:
    drawer = FigureDrawer(job)
    some = [label for label in labels if label.images][:_MOST_LABELS]

    def draw(label: LabelSummary) -> LabelFigures:
        groups = [cluster.images for cluster in label.clusters[:_MOST_CLUSTERS]] or [label.images]
        drawn = [[drawer.mean(images), *map(drawer.example, images[:_EXAMPLES])] for images in groups]
        return LabelFigures(drawer.mean(label.images), drawn)

    figures = {}
    with ThreadPoolExecutor(os.cpu_count()) as threads, report.bar(len(some), "drawing labels") as bar:
        for label, drawn in zip(some, threads.map(draw, some), strict=True):
            figures[label.label] = drawn
            bar.advance()
    return figures


def _about(job: SummaryJob, data: SummaryData, collector: _LabelCollector, name: str, wanted: int) -> SummaryFacts:
    maps = sum(map(len, collector.images.values()))
    numbers = [
        (f"{len(data.images):,}", "images"),
        (f"{maps:,}", "maps"),
        (f"{len(collector.images.keys() | collector.empty.keys()):,}", "labels"),
        (job.parameters.algorithm, f"explains what is {job.explain}"),
        (job.model.definition.architecture.name, "model"),
    ]
    notes = []
    if data.repeated:
        notes.append(f"{counted(data.repeated, 'image')} the same as others, which counted once.")
    if left := len(data.images) - wanted:
        notes.append(f"{counted(left, 'image')} without a label of the model.")
    if collector.unexplained:
        notes.append(f"{counted(collector.unexplained, 'image')} for which no label is predicted.")
    if collector.beyond:
        notes.append(f"{counted(collector.beyond, 'image')} beyond the limit of {job.limit} a label.")
    if len(collector.images) == 1:
        notes.append("With one label, nobody knows which places are its own: its maps are grouped by likeness alone.")
    return SummaryFacts(f"Explanations of {name}", numbers, notes)
