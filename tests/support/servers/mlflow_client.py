"""Calls a server by MLflow's own client and prints the replies.

Command: python -m tests.support.servers.mlflow_client HOST PORT IMAGE. It is a process of its own, since MLflow warns
while it is imported, and starts threads.
"""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient


def main() -> None:
    """Print a JSON object: the name of each request -> its reply, or the text of the error."""
    host, port, file = sys.argv[1:]
    client, image = ScoringServerClient(host, int(port)), Path(file).read_bytes()
    text = base64.b64encode(image).decode()
    parameters = {"xai_algorithm": "gradcam", "visualizations": False}
    requests: dict[str, Callable[[], Any]] = {
        "ping": client.ping,
        "version": client.get_version,
        "table": lambda: predictions(client, pd.DataFrame({"image": [text, text]})),
        "table with more": lambda: predictions(client, pd.DataFrame({"number": [1], "image": [text]})),
        "an array": lambda: predictions(client, np.array([[text]])),
        "a list": lambda: predictions(client, [text]),
        "params": lambda: predictions(client, pd.DataFrame({"image": [text]}), params=parameters),
        "another column": lambda: predictions(client, pd.DataFrame({"img": [text]})),
        "no picture": lambda: predictions(client, pd.DataFrame({"image": ["aGVsbG8="]})),
    }
    client.wait_server_ready(timeout=10)
    print(json.dumps({name: reply_to(request) for name, request in requests.items()}))


def predictions(client: Any, data: Any, **options: Any) -> Any:
    """Return what the server says of each row, as MLflow reads it."""
    return client.invoke(data, **options).get_predictions().to_dict("records")


def reply_to(request: Callable[[], Any]) -> Any:
    """Return the reply, or the text of the error that the client makes of it."""
    try:
        return request()
    except Exception as error:  # which is all that it raises
        return str(error)


if __name__ == "__main__":
    main()
