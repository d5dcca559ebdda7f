"""python -m examples.digits.client [URL]: have a server read unseen digits, and print a confusion matrix."""

import argparse
import json
import sys
import urllib.error
import urllib.request

import numpy as np
from numpy.typing import NDArray

from examples.digits.images import split

_AT_ONCE = 50


def main(arguments: list[str] | None = None) -> int:
    """Send the digits and print the confusion matrix; return 0, or 1 where the server does not answer."""
    parser = argparse.ArgumentParser(prog="python -m examples.digits.client", description=__doc__)
    parser.add_argument("url", nargs="?", default="http://localhost:5001", metavar="URL", help="where the server is")
    url = parser.parse_args(arguments).url
    _, test = split()
    try:
        digits = [
            digit
            for at in range(0, len(test.labels), _AT_ONCE)
            for digit in read_digits(f"{url}/score", test.images[at : at + _AT_ONCE])
        ]
    except urllib.error.HTTPError as error:
        print(f"error: {url} answered {error.code}: {error.read().decode()}", file=sys.stderr)
        return 1
    except urllib.error.URLError as error:
        print(f"error: {url} does not answer: {error.reason}", file=sys.stderr)
        return 1
    matrix = confusion(test.labels, np.array(digits))
    print("rows: what is written, columns: what it is taken for")
    print("     " + "".join(f"{digit:4}" for digit in range(10)))
    for digit, row in enumerate(matrix):
        print(f"{digit:4} " + "".join(f"{count:4}" for count in row))
    print(f"{np.trace(matrix)} of {matrix.sum()} are right")
    return 0


def read_digits(url: str, images: NDArray[np.float64]) -> list[int]:
    """Return the digit that the server reads in each of `images`, float64 [N, 64] in [0, 1]."""
    body = json.dumps({"data": images.tolist()}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as reply:
        digits: list[int] = json.load(reply)
    return digits


def confusion(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often each digit (row) was read as each digit (column), int64 [10, 10]."""
    matrix = np.zeros((10, 10), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


if __name__ == "__main__":
    sys.exit(main())
