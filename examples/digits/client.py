"""python -m examples.digits.client [URL]: have a server read the unseen digits, and print what it takes them for."""

import argparse
import json
import sys
import urllib.error
import urllib.request

import numpy as np
from numpy.typing import NDArray

from examples.digits.pictures import split

_AT_ONCE = 50


def main(arguments: list[str] | None = None) -> int:
    """Ask the server and print the confusion matrix; returns 0, or 1 where it does not answer."""
    parser = argparse.ArgumentParser(prog="python -m examples.digits.client", description=__doc__)
    parser.add_argument("url", nargs="?", default="http://localhost:5001", metavar="URL", help="where the server is")
    url = parser.parse_args(arguments).url
    _, test = split()
    try:
        found = [
            digit
            for at in range(0, len(test.labels), _AT_ONCE)
            for digit in ask(f"{url}/score", test.pictures[at : at + _AT_ONCE])
        ]
    except urllib.error.HTTPError as error:
        print(f"error: {url} answered {error.code}: {error.read().decode()}", file=sys.stderr)
        return 1
    except urllib.error.URLError as error:
        print(f"error: {url} does not answer: {error.reason}", file=sys.stderr)
        return 1
    matrix = confusion(test.labels, np.array(found))
    print("rows: what is written, columns: what it is taken for")
    print("     " + "".join(f"{digit:4}" for digit in range(10)))
    for digit, row in enumerate(matrix):
        print(f"{digit:4} " + "".join(f"{count:4}" for count in row))
    print(f"{np.trace(matrix)} of {matrix.sum()} are right")
    return 0


def ask(url: str, pictures: NDArray[np.float64]) -> list[int]:
    """Return the digit that the server sees in each of `pictures`, float64 [N, 64] in [0, 1]."""
    body = json.dumps({"data": pictures.tolist()}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as reply:
        found: list[int] = json.load(reply)
    return found


def confusion(labels: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count how often each digit was taken for which: int64 [10, 10], a row for each that is written."""
    matrix = np.zeros((10, 10), np.int64)
    np.add.at(matrix, (labels, found), 1)
    return matrix


if __name__ == "__main__":
    sys.exit(main())
