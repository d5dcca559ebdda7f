"""The codes of all faults, what they mean, and what is done: the table in the documentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a code of faults means, and what is done about them, both as in the documentation."""

    meaning: str
    done: str


FAULT_KINDS: Mapping[str, FaultKind] = MappingProxyType(
    {
        "line_unreadable": FaultKind("No JSON object with an image, or a file that cannot be read", "image dropped"),
        "label_form": FaultKind("Labels of another task, numbers among texts, `null`", "image dropped"),
        "label_reserved": FaultKind("The label `--bg--`, or one without a character", "object or image dropped"),
        "label_alike": FaultKind(
            "Labels that differ only in case, outer spaces or how Unicode writes them: lines with the rarer one",
            "reported; `--rename`",
        ),
        "label_rare": FaultKind(
            "Fewer than 10 images, where another label has ten times as many",
            "warned; reported if it is one image",
        ),
        "label_single": FaultKind("All images have the same label", "warned"),
        "images_few": FaultKind("Fewer than 10 images", "warned"),
        "unlabelled": FaultKind("An image that nobody labelled, in formats that can tell", "image dropped"),
        "line_twice": FaultKind(
            "A line about the image of an earlier line, by its URL",
            "`--twice`: the last line counts, or all together, or none; by default as at the hosted service",
        ),
        "image_missing": FaultKind("No file, or no access to it", "image dropped"),
        "image_ambiguous": FaultKind("Two files may be meant", "image dropped"),
        "image_unreadable": FaultKind("No image, or a damaged one; within its pixels with `--deep`", "image dropped"),
        "image_twice": FaultKind("The bytes of an earlier image; with `--deep` its pixels", "reported; split together"),
        "link_outside": FaultKind("A link that leads out of the folder", "image dropped"),
        "turned": FaultKind("EXIF says that the image is to be turned, and `--exif` is not given", "reported"),
        "size_differs": FaultKind("The file says another size, or a mask has another", "reported; a mask is dropped"),
        "box_not_number": FaultKind("A coordinate is no finite number", "object dropped"),
        "box_swapped": FaultKind("Right before left, or bottom above top", "object dropped; `--order-corners`"),
        "box_empty": FaultKind("No width or no height", "object dropped"),
        "box_outside": FaultKind("A corner outside the image", "clipped within 2% of a side, else object dropped"),
        "box_twice": FaultKind("The place and label of an earlier object, by an IoU above 0.95", "object dropped"),
        "polygon_short": FaultKind("A part with fewer than three points", "part dropped"),
        "polygon_odd": FaultKind("A part without pairs of x and y", "object dropped"),
        "polygon_outside": FaultKind("A point outside the image", "polygon clipped"),
        "polygon_flat": FaultKind("A part of less than one pixel, or a mask of none", "part dropped"),
        "polygon_crossing": FaultKind("An outline that crosses itself; looked at up to 4,000 points", "reported"),
        "masks_large": FaultKind("The masks of an image have more than 500 million pixels together", "warned"),
        "split_leak": FaultKind(
            "An image that is in the validation data too, by its bytes", "image dropped from training"
        ),
        "not_in_format": FaultKind("`data convert`: the new format has no place for it", "object or image dropped"),
    }
)


def faults_table() -> str:
    """Return the faults as a table of Markdown."""
    rows = [f"| `{code}` | {kind.meaning} | {kind.done} |" for code, kind in FAULT_KINDS.items()]
    return "\n".join(["| fault | what it is | what is done |", "|---|---|---|", *rows])
