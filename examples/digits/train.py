"""python -m examples.digits.train FOLDER: train a model on the digits and write it where the script expects it."""

import argparse
import sys
from pathlib import Path

import joblib
from sklearn.linear_model import LogisticRegression

from examples.digits.images import split

FILE = "digits.joblib"


def main(arguments: list[str] | None = None) -> int:
    """Train, write the model and print its accuracy; return 0."""
    parser = argparse.ArgumentParser(prog="python -m examples.digits.train", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the model goes, such as demo/digits")
    folder: Path = parser.parse_args(arguments).folder
    train, test = split()
    model = LogisticRegression(max_iter=1000).fit(train.images, train.labels)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / FILE)
    print(f"{folder / FILE}: {model.score(test.images, test.labels):.1%} of {len(test.labels)} unseen digits are right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
