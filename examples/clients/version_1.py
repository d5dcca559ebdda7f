"""Version 1: the bytes of one image in, one JSON object out.

python -m examples.clients.version_1 IMAGE [--url URL] [--key KEY]
"""

import sys
from collections.abc import Iterator
from typing import Any

from examples.clients.request import RequestError, arguments_of, headers_of, post, read, run


def score(url: str, image: bytes, key: str | None = None, deployment: str | None = None) -> dict[str, Any]:
    """Return the row for an encoded image; RequestError where the reply is something else."""
    reply = post(f"{url}/score", image, headers_of("application/octet-stream", key, deployment))
    if not isinstance(reply, dict):
        raise RequestError(f"The reply is a {type(reply).__name__}, not an object. Does {url} serve a model?")
    return reply


def lines_of(row: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each label or object of a row; RequestError where it has neither."""
    if "probs" in row:
        ranked = sorted(zip(row["probs"], row["labels"], strict=True), reverse=True)
        yield from (f"{prob:.4f} {label}" for prob, label in ranked)
    elif "boxes" in row:
        for found in row["boxes"]:
            corners = " ".join(f"{found['box'][edge]:.4f}" for edge in ("topX", "topY", "bottomX", "bottomY"))
            yield f"{found['score']:.4f} {found['label']} at {corners}"
    else:
        raise RequestError(f"The reply has neither probs nor boxes, but {', '.join(row) or 'nothing'}.")


def main(arguments: list[str] | None = None) -> int:
    """Score an image and print its labels or objects; return 0, or 1 after an error."""
    options = arguments_of(__doc__).parse_args(arguments)

    def work() -> None:
        for line in lines_of(score(options.url, read(options.image), options.key, options.deployment)):
            print(line)

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
