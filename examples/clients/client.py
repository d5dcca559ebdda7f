"""A typed client for Sightglass: one file to copy. It needs the standard library, and numpy for attributions only."""

import base64
import http.client
import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

ImageSource: TypeAlias = bytes | Path  # an encoded image, or a file of one


@dataclass(eq=False)
class EndpointError(Exception):
    """An error instead of a reply.

    status: HTTP status, 0 where nothing answered; code: stable, see docs/scoring.md; details: one for each bad image;
    request_id: id of the request in the server's log; retry_after: seconds until a retry may succeed.
    """

    message: str
    status: int = 0
    code: str = ""
    details: Sequence[Mapping[str, Any]] = ()
    request_id: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a label was given. `png`: the visualization, `npy`: the attributions as a file; None if not requested."""

    label: str
    confidence: float
    algorithm: str
    notes: tuple[str, ...]
    png: bytes | None
    npy: bytes | None

    def attributions(self) -> "np.ndarray[Any, Any]":
        """Return the attribution of each pixel to the label, [3, height, width] or [height, width].

        ValueError where attributions were not requested.
        """
        import numpy as np  # needed by this method alone

        if self.npy is None:
            raise ValueError("The numbers were not asked for: `attributions` was false.")
        values: np.ndarray[Any, Any] = np.load(io.BytesIO(self.npy))
        return values


@dataclass(frozen=True, slots=True)
class Classification:
    """`probs` in [0, 1] of all `labels`, in the order of training, and the explanations."""

    probs: tuple[float, ...]
    labels: tuple[str, ...]
    explanations: tuple[Explanation, ...] = ()

    @property
    def label(self) -> str:
        """The label of the highest score."""
        return self.labels[self.probs.index(max(self.probs))]


@dataclass(frozen=True, slots=True)
class Detection:
    """An object. box: left, top, right, bottom; polygon: contours x, y, x, y, ...; in shares of the image."""

    label: str
    score: float
    box: tuple[float, float, float, float]
    polygon: tuple[tuple[float, ...], ...] = ()


class Client:
    """Calls a server, and retries 429 and 503 for up to `patience` seconds whenever the server says when to retry.

    `deployment` names one of several; `timeout` limits the seconds of each try. The methods raise EndpointError.
    """

    def __init__(
        self,
        url: str = "http://localhost:5001",
        *,
        key: str | None = None,
        deployment: str | None = None,
        patience: float = 30.0,
        timeout: float = 300.0,
    ) -> None:
        self._url = url.rstrip("/") + "/score"
        self._patience = patience
        self._timeout = timeout
        given = {"Authorization": key and f"Bearer {key}", "azureml-model-deployment": deployment}
        self._headers = {name: value for name, value in given.items() if value}

    def classify(self, images: Sequence[ImageSource]) -> list[Classification]:
        """Score images with a classifier."""
        return [_classification(row) for row in self._rows([{"image_base64": _text(each)} for each in images])]

    def detect(self, images: Sequence[ImageSource], **inference_parameters: Any) -> list[list[Detection]]:
        """Find the objects in each image with a detector; for instance with `box_score_thresh=0.5`."""
        more = {"inference_parameters": inference_parameters} if inference_parameters else {}
        rows = self._rows([{"image_base64": _text(each), **more} for each in images])
        return [[_detection(one) for one in _checked(row, "boxes")["boxes"]] for row in rows]

    def explain(self, images: Sequence[ImageSource], **xai_parameters: Any) -> list[Classification]:
        """Score and explain images; for instance with `top_k=2, attributions=False`, but without `compatibility`."""
        parameters = {"attributions": True, **xai_parameters, "attributions_format": "npy_base64"}
        why = {"model_explainability": True, "xai_parameters": parameters}
        return [_classification(row) for row in self._rows([{"image_base64": _text(each), **why} for each in images])]

    def _rows(self, cells: Sequence[Mapping[str, Any]]) -> list[Any]:
        body = json.dumps({"input_data": {"columns": ["image"], "data": list(cells)}}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json", **self._headers})
        end = time.monotonic() + self._patience
        while True:
            try:
                return self._sent(request, len(cells))
            except EndpointError as error:
                wait = error.retry_after
                if error.status not in (429, 503) or wait is None or time.monotonic() + wait > end:
                    raise
                time.sleep(wait)

    def _sent(self, request: urllib.request.Request, count: int) -> list[Any]:
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as reply:
                rows = json.load(reply)
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise EndpointError(f"{self._url} does not answer: {getattr(error, 'reason', error)}") from None
        except ValueError as error:
            raise EndpointError(f"{self._url} answered with something that is no JSON: {error}", 200) from None
        if not isinstance(rows, list) or len(rows) != count:
            raise EndpointError(f"The reply is not a list of {count} rows, one for each image.", 200)
        return rows


def _text(image: ImageSource) -> str:
    return base64.b64encode(image if isinstance(image, bytes) else image.read_bytes()).decode()


def _refusal(error: urllib.error.HTTPError) -> EndpointError:
    body, wait = error.read(), error.headers.get("retry-after", "")
    try:
        content: dict[str, Any] = dict(json.loads(body))
    except (ValueError, TypeError):  # written by something between here and the server
        content = {"message": body[:200].decode(errors="replace")}
    return EndpointError(
        str(content.get("message")),
        status=error.code,
        code=str(content.get("code", "")),
        details=content.get("details", ()),
        request_id=error.headers.get("x-request-id", ""),
        retry_after=float(wait) if wait.isdecimal() else None,
    )


def _checked(row: Any, wanted: str) -> dict[str, Any]:
    if isinstance(row, dict) and wanted in row:
        return row
    error = row.get("error", {}) if isinstance(row, dict) else {}  # from a server with --bad-images report
    message = error.get("message", f"A row of the reply has no {wanted}. Is the model one of another task?")
    raise EndpointError(message, 200, error.get("code", ""))


def _classification(row: Any) -> Classification:
    scores = _checked(row, "probs")
    explained = row.get("explanations", ())
    # The values of a single label come without a list around them
    visualizations, attributions = (
        values if isinstance(values, list) else [values] * len(explained)
        for values in (row.get(key) for key in ("visualizations", "attributions"))
    )
    why = zip(explained, visualizations, attributions, strict=False)
    return Classification(tuple(scores["probs"]), tuple(scores["labels"]), tuple(_explanation(*each) for each in why))


def _explanation(facts: Mapping[str, Any], visualization: str | None, attributions: str | None) -> Explanation:
    png, npy = (None if text is None else base64.b64decode(text) for text in (visualization, attributions))
    return Explanation(facts["label"], facts["confidence"], facts["xai_algorithm"], tuple(facts["notes"]), png, npy)


def _detection(one: Mapping[str, Any]) -> Detection:
    left, top, right, bottom = (float(one["box"][edge]) for edge in ("topX", "topY", "bottomX", "bottomY"))
    return Detection(one["label"], one["score"], (left, top, right, bottom), tuple(map(tuple, one.get("polygon", ()))))
