"""Version 2: any number of images in one request, a JSON array with a row for each out.

python -m examples.clients.version_2 IMAGE IMAGE ... [--url URL] [--key KEY]
"""

import base64
import json
import sys
from collections.abc import Sequence
from typing import Any

from examples.clients.request import RequestError, arguments_of, headers_of, post, read, run


def score(
    url: str, images: Sequence[bytes], key: str | None = None, deployment: str | None = None
) -> list[dict[str, Any]]:
    """Return a row for each encoded image, in their order; RequestError where their numbers differ."""
    data = [base64.b64encode(image).decode() for image in images]
    body = json.dumps({"input_data": {"columns": ["image"], "data": data}}).encode()
    rows = post(f"{url}/score", body, headers_of("application/json", key, deployment))
    if not isinstance(rows, list) or len(rows) != len(images):
        found = f"{len(rows)} rows" if isinstance(rows, list) else f"a {type(rows).__name__}"
        raise RequestError(f"The reply to {len(images)} images is {found}, so that nobody can tell which is which.")
    return rows


def line_of(row: dict[str, Any]) -> str:
    """Sum up a row in a few words; RequestError where it has neither labels nor boxes."""
    if "probs" in row:
        prob, label = max(zip(row["probs"], row["labels"], strict=True))
        return f"{label} {prob:.4f}"
    if "boxes" in row:
        found = [f"{each['label']} {each['score']:.4f}" for each in row["boxes"]]
        return f"{len(found)} objects" + (f": {', '.join(found)}" if found else "")
    if "error" in row:  # from a server with --bad-images report
        return f"not scored: {row['error']['message']}"
    raise RequestError(f"A row has neither probs nor boxes, but {', '.join(row) or 'nothing'}.")


def main(arguments: list[str] | None = None) -> int:
    """Score images and print a line for each; return 0, or 1 after an error."""
    options = arguments_of(__doc__, images="+").parse_args(arguments)

    def work() -> None:
        rows = score(options.url, [read(file) for file in options.image], options.key, options.deployment)
        for file, row in zip(options.image, rows, strict=True):
            print(f"{file}: {line_of(row)}")

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
