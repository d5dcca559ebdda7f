"""Version 1: the bytes of one picture in, one JSON object out.

python -m examples.clients.version_1 PICTURE [--url URL] [--key KEY]
"""

import sys
from collections.abc import Iterator
from typing import Any

from examples.clients.request import RequestError, arguments_of, headers_of, post, read, run


def score(url: str, picture: bytes, key: str | None = None, deployment: str | None = None) -> dict[str, Any]:
    """Return the object that the server makes of an encoded picture; RequestError where it makes none."""
    reply = post(f"{url}/score", picture, headers_of("application/octet-stream", key, deployment))
    if not isinstance(reply, dict):
        raise RequestError(f"The reply is a {type(reply).__name__}, not an object. Does {url} serve a model?")
    return reply


def lines_of(row: dict[str, Any]) -> Iterator[str]:
    """Tell what a picture shows, a line for each label or each object; RequestError where the object has neither."""
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
    """Score a picture and print what it shows; returns 0, or 1 where that cannot be."""
    options = arguments_of(__doc__).parse_args(arguments)

    def work() -> None:
        for line in lines_of(score(options.url, read(options.picture), options.key, options.deployment)):
            print(line)

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
