"""Version 2 with explanations, as visualizations and as attributions.

python -m examples.clients.explanations IMAGE [--algorithm xrai] [--top-k 2] [--output why] [--url URL] [--key KEY]

Writes NAME_NUMBER_LABEL.png and .npy for each explained label, or box.
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
    url: str, image: bytes, parameters: dict[str, Any], key: str | None = None, deployment: str | None = None
) -> dict[str, Any]:
    """Return the row of an encoded image, with its explanations; RequestError where there are none.

    `parameters` are the xai_parameters. A cell is a JSON text within the JSON, as the hosted endpoint expects it.
    """
    encoded = base64.b64encode(image).decode()
    cell = {"image_base64": encoded, "model_explainability": True, "xai_parameters": parameters}
    body = json.dumps({"input_data": {"columns": ["image"], "data": [json.dumps(cell)]}}).encode()
    rows = post(f"{url}/score", body, headers_of("application/json", key, deployment))
    if not isinstance(rows, list) or len(rows) != 1 or "explanations" not in rows[0]:
        raise RequestError("The reply has no explanations.")
    row: dict[str, Any] = rows[0]
    return row


def each(value: Any) -> list[Any]:
    """Return a list with one value per explained label: the value of a single label comes without a list around it."""
    return value if isinstance(value, list) else [value]


def maps_of(row: dict[str, Any]) -> list[NDArray[np.float64]]:
    """Return the attributions in a row, float64 [3, height, width] for each label, [height, width] for each box.

    RequestError where they are switched off.
    """
    if not row["explanations"]:
        return []
    if None in each(row["attributions"]):
        raise RequestError("The reply has no attributions. Ask for them with the parameter `attributions`.")
    if "boxes" in row:
        return [np.array(values, np.float64) for values in row["attributions"]]
    values = np.array(row["attributions"], np.float64)
    return list(values) if values.ndim == 4 else [values]


def save(row: dict[str, Any], folder: Path, name: str) -> list[Path]:
    """Write the visualizations and attributions of a row, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    visualizations, maps = each(row["visualizations"]), maps_of(row)
    for number, (explanation, values) in enumerate(zip(row["explanations"], maps, strict=True), 1):
        stem = f"{name}_{number}_{re.sub(r'[^0-9A-Za-z-]+', '_', explanation['label'])}"
        image, array = folder / f"{stem}.png", folder / f"{stem}.npy"
        image.write_bytes(base64.b64decode(visualizations[number - 1]))
        np.save(array, values)
        written += [image, array]
    return written


def main(arguments: list[str] | None = None) -> int:
    """Explain an image, print the explained labels and write the files; return 0, or 1 after an error."""
    parser = arguments_of(__doc__)
    parser.add_argument("--algorithm", default="xrai", help="how to explain (default: %(default)s)")
    parser.add_argument("--top-k", type=int, metavar="N", help="explain the labels of the N highest scores")
    parser.add_argument("--output", type=Path, default=Path("why"), metavar="FOLDER", help="where the files go")
    options = parser.parse_args(arguments)
    parameters = {"xai_algorithm": options.algorithm, "visualizations": True, "attributions": True}
    if options.top_k is not None:
        parameters["top_k"] = options.top_k

    def work() -> None:
        row = explain(options.url, read(options.image), parameters, options.key, options.deployment)
        if not row["explanations"]:  # a multilabel model may find no label likely enough
            print("nothing in this image was explained")
        for explanation in row["explanations"]:
            score = explanation.get("confidence", explanation.get("score"))  # of a label, or of a box
            print(f"{explanation['label']} {score:.4f} by {explanation['xai_algorithm']}")
        for file in save(row, options.output, options.image.stem):
            print(file)

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
