"""Detect objects in the images of a COCO file, and write them in COCO's format of results, for COCOeval.

python -m examples.clients.coco_results ANNOTATIONS.json FOLDER RESULTS.json [--url URL] [--key KEY]

The format: https://cocodataset.org/#format-results
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from examples.clients.client import Client, Detection, EndpointError
from examples.clients.mask import mask_of
from examples.clients.request import add_server_options


def coco_results(
    found: Sequence[Detection], image_id: int, size: tuple[int, int], category_ids: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return the results of one image of `size` (width, height) in pixels, with run lengths where there are masks.

    KeyError where a label is none of the categories.
    """
    results = []
    for one in found:
        left, top, right, bottom = (share * side for share, side in zip(one.box, 2 * size, strict=True))
        result = {
            "image_id": image_id,
            "category_id": category_ids[one.label],
            "bbox": [left, top, right - left, bottom - top],
            "score": one.score,
        }
        if one.polygon:
            result["segmentation"] = {"size": [size[1], size[0]], "counts": _run_lengths(mask_of(one, size))}
        results.append(result)
    return results


def _run_lengths(mask: "np.ndarray[Any, np.dtype[np.bool_]]") -> list[int]:
    """Count how long each run is, column by column, beginning with pixels that are not in the mask."""
    values = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(values)) + 1
    counts = np.diff(np.concatenate([[0], changes, [values.size]])).tolist()
    return [0, *counts] if values[0] else counts


def detect_all(client: Client, annotations: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Return the results of all images that `annotations`, the content of a COCO file, name; files are in `folder`."""
    category_ids = {each["name"]: each["id"] for each in annotations["categories"]}
    results = []
    for number, image in enumerate(annotations["images"], 1):
        (found,) = client.detect([folder / image["file_name"]])
        results += coco_results(found, image["id"], (image["width"], image["height"]), category_ids)
        print(f"{number} of {len(annotations['images'])}: {image['file_name']}, {len(found)} objects", flush=True)
    return results


def main(arguments: list[str] | None = None) -> int:
    """Write the file of results; return 0, or 1 after an error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path, metavar="ANNOTATIONS.json")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the images are")
    parser.add_argument("results", type=Path, metavar="RESULTS.json")
    add_server_options(parser)
    options = parser.parse_args(arguments)
    client = Client(options.url, key=options.key, deployment=options.deployment)
    try:
        annotations = json.loads(options.annotations.read_bytes())
        options.results.write_text(json.dumps(detect_all(client, annotations, options.folder)))
    except KeyError as error:
        print(f"error: {error} is no category or key of {options.annotations}.", file=sys.stderr)
        return 1
    except (OSError, ValueError, EndpointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
