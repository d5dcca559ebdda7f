"""The objects of images: each is checked by what its task needs of it."""

from collections.abc import Sequence
from dataclasses import replace

from data.checks.boxes import checked_box, without_twins
from data.checks.fault_log import WARNED, FaultLog
from data.checks.object_faults import ObjectFaults
from data.checks.polygons import checked_outlines
from data.record import LabelledImage
from models.folder.manifest import TaskName

MOST_MASK_PIXELS = 5e8
"""Of all masks of an image together: a bound of the hosted service, which shrinks images with more."""


def checked_objects(
    image: LabelledImage, task: TaskName, size: tuple[int, int] | None, fault_log: FaultLog, *, order_corners: bool
) -> LabelledImage | None:
    """Return an image with objects that can be used; None where it has had some, and none is left.

    `size` is the (width, height) of the image in pixels, where that is known.
    """
    if not image.objects:
        return image
    faults = ObjectFaults(image)
    kept, places = [], []
    for place, each in enumerate(image.objects, 1):
        faults.place, faults.label = place, each.label
        outlined = task == "segmentation" and (each.polygons or each.mask is not None)
        checked = (
            checked_outlines(each, size, faults) if outlined else checked_box(each, faults, order_corners=order_corners)
        )
        if checked is not None:
            kept.append(checked)
            places.append(place)
    left, twins = without_twins(kept)
    for twin, first in twins:
        faults.place, faults.label = places[twin], kept[twin].label
        faults.dropped("box_twice", f"it is where object {places[first]} of the same label is")
    faults.write(fault_log, some_left=bool(left))
    if task == "segmentation" and size is not None:
        _report_large(image, len(left) * size[0] * size[1], fault_log)
    return replace(image, objects=tuple(left)) if left else None


def _report_large(image: LabelledImage, pixels: int, fault_log: FaultLog) -> None:
    if pixels > MOST_MASK_PIXELS:
        fault_log.add(
            image,
            "masks_large",
            f"The masks of all objects are {pixels:.2g} pixels, and more than {MOST_MASK_PIXELS:.0e} take much memory. "
            "Shrink the image, or cut it into tiles.",
            WARNED,
        )


def without_bad_objects(
    images: Sequence[LabelledImage],
    task: TaskName,
    sizes: dict[str, tuple[int, int]],
    fault_log: FaultLog,
    *,
    order_corners: bool,
) -> list[LabelledImage]:
    """Return the images with objects that can be used; `sizes` are those of images by URL, (width, height)."""
    checked = (
        checked_objects(image, task, sizes.get(image.url), fault_log, order_corners=order_corners) for image in images
    )
    return [image for image in checked if image is not None]
