"""Scores and explains images by a client that openapi-python-client made of the server's own description.

openapi-python-client generate --url http://localhost:5001/openapi.json --meta none --output-path sightglass_client
python -m examples.clients.generated_client IMAGE ... [--url URL] [--key KEY]
"""

import base64
import sys
from collections.abc import Sequence

from sightglass_client import AuthenticatedClient, Client
from sightglass_client.api.scoring import score
from sightglass_client.models import Error, ImageCell, Prediction, ScoreRequest, XaiParameters
from sightglass_client.models.xai_parameters_xai_algorithm import XaiParametersXaiAlgorithm
from sightglass_client.types import UNSET

from examples.clients.request import RequestError, arguments_of, read, run


def predictions(
    client: Client | AuthenticatedClient,
    images: Sequence[bytes],
    deployment: str | None = None,
    algorithm: str | None = None,
) -> list[Prediction]:
    """Return a prediction for each encoded image, explained where an algorithm is named; RequestError instead."""
    texts = [base64.b64encode(image).decode() for image in images]
    cells: list[ImageCell | str] = [*texts]
    if algorithm is not None:
        parameters = XaiParameters(xai_algorithm=XaiParametersXaiAlgorithm(algorithm))
        cells = [ImageCell(text, model_explainability=True, xai_parameters=parameters) for text in texts]
    # a server without keys describes none, and its client's functions take either kind of client
    reply = score.sync(client=client, body=ScoreRequest(cells), azureml_model_deployment=deployment or UNSET)  # type: ignore[arg-type, unused-ignore]
    if isinstance(reply, Error):
        raise RequestError(f"{reply.code}: {reply.message}")
    if not isinstance(reply, list):
        raise RequestError("The reply is not that of version 2. Is this Sightglass?")
    return reply


def line_of(prediction: Prediction) -> str:
    """Sum up a prediction in a few words."""
    if prediction.probs and prediction.labels:
        prob, label = max(zip(prediction.probs, prediction.labels, strict=True))
        return f"{label} {prob:.4f}"
    return f"{len(prediction.boxes or [])} objects: " + ", ".join(
        f"{found.label} {found.score:.4f}{' with an outline' if found.polygon else ''}"
        for found in prediction.boxes or []
    )


def main(arguments: list[str] | None = None) -> int:
    """Score images and print a line for each; return 0, or 1 after an error."""
    parser = arguments_of(__doc__, images="+")
    parser.add_argument("--explain", metavar="ALGORITHM", help="explain, too, such as by gradcam")
    options = parser.parse_args(arguments)
    client = AuthenticatedClient(options.url, options.key) if options.key else Client(options.url)

    def work() -> None:
        found = predictions(client, [read(file) for file in options.image], options.deployment, options.explain)
        for file, prediction in zip(options.image, found, strict=True):
            explained = [f"explained by {one.xai_algorithm}: {one.label}" for one in prediction.explanations or []]
            print(", ".join([f"{file}: {line_of(prediction)}", *explained]))

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
