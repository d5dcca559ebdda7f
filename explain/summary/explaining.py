"""ImageExplainer: explains the images of a summary, the same ones in the same order however often it was killed."""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from torch import Tensor

from data.checks.fault_log import IMAGE_DROPPED
from data.fault import Fault
from data.headers import LIMITS
from data.progress import ProgressBar, ProgressReport
from explain.errors import ExplanationError
from explain.network.executor import Executor
from explain.network.work_items import CpuTask
from explain.rendering.levels import weights
from explain.request.targets import ExplainedTarget, TargetSelector
from explain.summary.image_maps import ImageMaps, shrunk
from explain.summary.images import SummaryImage
from explain.summary.job import SummaryJob
from explain.summary.map_folder import MapFolder
from explain.summary.together import Outcome, explain_together
from models.errors import ImageError, ModelError

_AHEAD = 3  # batches whose images are decoded before they are needed

Prepared = ImageMaps | Tensor | Fault


class ImageExplainer:
    """Explains images batch by batch, and keeps their maps in a folder; `faults` are those of images left out."""

    def __init__(self, job: SummaryJob, folder: MapFolder, report: ProgressReport) -> None:
        self.faults: list[Fault] = []
        self._job = job
        self._folder = folder
        self._report = report
        self._executor = Executor.for_model(job.model)
        self._select = job.selector()
        self._quota = _Quota(job.limit)

    def each(self, images: Sequence[SummaryImage]) -> Iterator[tuple[SummaryImage, ImageMaps]]:
        """Yield images with their maps, in their order, without those that cannot be explained.

        ExplanationError where the network does not suit the algorithm, ModelError where memory runs out, OSError where
        maps cannot be kept.
        """
        kept = sum(self._folder.has(image.sha256) for image in images)
        with (
            ThreadPoolExecutor(os.cpu_count()) as self._threads,
            self._report.bar(len(images), "explaining images", kept) as bar,
        ):
            try:
                for chunk in self._prepared(images):
                    yield from self._chunk(chunk, bar)
            except BaseException:  # such as Ctrl-C, which is not to wait for images that nobody wants
                self._threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _prepared(self, images: Sequence[SummaryImage]) -> Iterator[list[tuple[SummaryImage, Prepared]]]:
        size = self._job.batch_size
        waiting: deque[list[tuple[SummaryImage, Future[Prepared]]]] = deque()
        for start in range(0, len(images), size):
            some = images[start : start + size]
            waiting.append([(image, self._threads.submit(self._prepare, image)) for image in some])
            if len(waiting) > _AHEAD:
                yield [(image, future.result()) for image, future in waiting.popleft()]
        for chunk in waiting:
            yield [(image, future.result()) for image, future in chunk]

    def _prepare(self, image: SummaryImage) -> Prepared:
        """Return what is kept of an image, else its pixels, else why it has none."""
        found = self._folder.maps(image.sha256)
        if found is None or not self._still_asked(image, found):
            return self._pixels(image)
        return found

    def _still_asked(self, image: SummaryImage, found: ImageMaps) -> bool:
        return self._job.explain == "predicted" or set(found.selected) == set(self._job.targets_of(image))

    def _pixels(self, image: SummaryImage) -> Tensor | Fault:
        try:
            return self._job.model.crop(image.file.read_bytes(), LIMITS)
        except OSError as error:
            return _fault(image, "image_unreadable", f"The file cannot be read: {error.strerror}.")
        except ImageError as error:
            # what follows is advice to somebody who sends an image
            sentence = str(error).rpartition(". ")[0] or str(error)
            return _fault(image, "image_unreadable", f"{sentence.rstrip('.')}.")

    def _chunk(
        self, chunk: Sequence[tuple[SummaryImage, Prepared]], bar: ProgressBar
    ) -> Iterator[tuple[SummaryImage, ImageMaps]]:
        group: list[tuple[SummaryImage, Tensor]] = []
        for image, found in chunk:
            if isinstance(found, ImageMaps):
                # those before it come first, or others would be the first of their labels than without a restart
                yield from self._explained(group, bar)
                group = []
                if not self._quota.lacks(found):
                    yield image, self._quota.counted(found)
                    continue
            pixels = self._pixels(image) if isinstance(found, ImageMaps) else found
            if isinstance(pixels, Fault):
                self.faults.append(pixels)
                self._advance([image], bar)
            else:
                group.append((image, pixels))
        yield from self._explained(group, bar)

    def _explained(
        self, group: Sequence[tuple[SummaryImage, Tensor]], bar: ProgressBar
    ) -> Iterator[tuple[SummaryImage, ImageMaps]]:
        if not group:
            return
        selections = [_Selection(self._select(image), self._quota) for image, _ in group]
        outcomes = explain_together(
            self._executor,
            [(pixels, selection) for (_, pixels), selection in zip(group, selections, strict=True)],
            self._job.parameters,
            self._run_tasks,
            batch_size=self._job.batch_size,
        )
        self._advance([image for image, _ in group], bar)
        for (image, _), selection, outcome in zip(group, selections, outcomes, strict=True):
            try:
                maps = self._maps(outcome, selection.selected)
            except (ModelError, ExplanationError) as error:
                self._quota.give_back(selection.taken)
                self.faults.append(_fault(image, "attribution_invalid", str(error)))
            else:
                self._folder.keep(image.sha256, maps)
                yield image, maps

    def _advance(self, images: Sequence[SummaryImage], bar: ProgressBar) -> None:
        bar.advance(sum(not self._folder.has(image.sha256) for image in images))  # others were counted at the start

    def _run_tasks(self, tasks: Iterable[CpuTask]) -> None:
        list(self._threads.map(CpuTask.run, tasks))

    def _maps(self, outcome: Outcome, selected: Sequence[int]) -> ImageMaps:
        if isinstance(outcome, Exception):
            raise outcome
        probabilities = self._job.model.prediction(outcome.logits).probs
        maps = {
            one.target: shrunk(weights(one.values.numpy(), self._job.parameters.sign)) for one in outcome.attributions
        }
        scores = tuple(probabilities[target] for target in selected)
        return ImageMaps(tuple(selected), scores, maps, int(outcome.logits.argmax()))


class _Quota:
    """How many images of each label are explained; without a `limit`, all."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._counts: Counter[int] = Counter()

    def is_open(self, target: int) -> bool:
        return self._limit is None or self._counts[target] < self._limit

    def take(self, targets: Iterable[int]) -> tuple[int, ...]:
        """Count an image for those of its targets that have not enough; return them."""
        taken = tuple(filter(self.is_open, targets))
        self._counts.update(taken)
        return taken

    def give_back(self, targets: Iterable[int]) -> None:
        self._counts.subtract(targets)

    def lacks(self, maps: ImageMaps) -> bool:
        """Return whether a map is needed that was of no use when the others were made."""
        return any(target not in maps.maps and self.is_open(target) for target in maps.selected)

    def counted(self, maps: ImageMaps) -> ImageMaps:
        """Count an image whose maps are kept; return it without those that are of no use now."""
        taken = self.take(target for target in maps.selected if target in maps.maps)
        return replace(maps, maps={target: maps.maps[target] for target in taken})


class _Selection:
    """A TargetSelector that remembers what it selected, and what is left of that by the quota."""

    def __init__(self, select: TargetSelector, quota: _Quota) -> None:
        self.selected: tuple[int, ...] = ()
        self.taken: tuple[int, ...] = ()
        self._select, self._quota = select, quota
        self._asked = False

    def __call__(self, logits: Tensor) -> Sequence[ExplainedTarget]:
        if not self._asked:
            self._asked = True
            self.selected = tuple(target.index for target in self._select(logits))
            self.taken = self._quota.take(self.selected)
        return [ExplainedTarget(index) for index in self.taken]


def _fault(image: SummaryImage, code: str, detail: str) -> Fault:
    return Fault(image.line, image.name, code, detail, IMAGE_DROPPED)
