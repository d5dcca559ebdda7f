"""A scoring script of the usual form: init() loads the model once, run() answers a request."""

import json
import os
from pathlib import Path
from typing import Any

import joblib
import numpy as np

model: Any = None


def init() -> None:
    """Load the model. joblib files are pickles, which run code when they are loaded: this one is our own."""
    global model  # noqa: PLW0603 - this is the usual form
    model = joblib.load(Path(os.environ["AZUREML_MODEL_DIR"], "digits.joblib"))


def run(raw_data: str) -> list[int]:
    """Return the digit that each image of `{"data": [[64 numbers from 0 to 1], ...]}` shows."""
    images = np.array(json.loads(raw_data)["data"])
    digits: list[int] = model.predict(images).tolist()
    return digits
