"""Version 2 with explanations: why a picture is taken for what it is, as pictures and as numbers.

python -m examples.clients.explanations PICTURE [--algorithm xrai] [--top-k 2] [--output why] [--url URL] [--key KEY]

Writes NAME_NUMBER_LABEL.png and .npy for each explained label.
"""

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.clients.request import RequestError, arguments_of, headers_of, post, read, run


def explain(
    url: str, picture: bytes, parameters: dict[str, Any], key: str | None = None, deployment: str | None = None
) -> dict[str, Any]:
    """Return the object for an encoded picture, with its explanations; RequestError where there are none.

    `parameters` are the xai_parameters. A cell is a JSON text within the JSON, as the hosted endpoint wants it.
    """
    encoded = base64.b64encode(picture).decode()
    cell = {"image_base64": encoded, "model_explainability": True, "xai_parameters": parameters}
    body = json.dumps({"input_data": {"columns": ["image"], "data": [json.dumps(cell)]}}).encode()
    rows = post(f"{url}/score", body, headers_of("application/json", key, deployment))
    if not isinstance(rows, list) or len(rows) != 1 or "explanations" not in rows[0]:
        raise RequestError("The reply has no explanations. Does the server serve a model that classifies?")
    row: dict[str, Any] = rows[0]
    return row


def each(value: Any) -> list[Any]:
    """Return what an object holds for every explained label: one alone stands there without a list around it."""
    return value if isinstance(value, list) else [value]


def maps_of(row: dict[str, Any]) -> list[NDArray[np.float64]]:
    """Return the attributions of an object, float64 [3, height, width] for every explained label.

    RequestError where they are switched off.
    """
    if not row["explanations"]:
        return []
    if row["attributions"] is None:
        raise RequestError("The reply has no attributions. Ask for them with the parameter `attributions`.")
    values = np.array(row["attributions"], np.float64)
    return list(values) if values.ndim == 4 else [values]


def save(row: dict[str, Any], folder: Path, name: str) -> list[Path]:
    """Write the pictures and numbers of an object, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    pictures, maps = each(row["visualizations"]), maps_of(row)
    for number, (explanation, values) in enumerate(zip(row["explanations"], maps, strict=True), 1):
        stem = f"{name}_{number}_{re.sub(r'[^0-9A-Za-z-]+', '_', explanation['label'])}"
        picture, array = folder / f"{stem}.png", folder / f"{stem}.npy"
        picture.write_bytes(base64.b64decode(pictures[number - 1]))
        np.save(array, values)
        written += [picture, array]
    return written


def main(arguments: list[str] | None = None) -> int:
    """Explain a picture, say which labels were explained and write the files; returns 0, or 1 where that cannot be."""
    parser = arguments_of(__doc__)
    parser.add_argument("--algorithm", default="xrai", help="how to explain (default: %(default)s)")
    parser.add_argument("--top-k", type=int, metavar="N", help="explain the labels of the N highest scores")
    parser.add_argument("--output", type=Path, default=Path("why"), metavar="FOLDER", help="where the files go")
    options = parser.parse_args(arguments)
    parameters = {"xai_algorithm": options.algorithm, "visualizations": True, "attributions": True}
    if options.top_k is not None:
        parameters["top_k"] = options.top_k

    def work() -> None:
        row = explain(options.url, read(options.picture), parameters, options.key, options.deployment)
        if not row["explanations"]:  # of several labels at once none may be likely enough
            print("no label of this picture was explained")
        for explanation in row["explanations"]:
            print(f"{explanation['label']} {explanation['confidence']:.4f} by {explanation['xai_algorithm']}")
        for file in save(row, options.output, options.picture.stem):
            print(file)

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
