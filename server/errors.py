"""All errors that a client can get: their stable codes, HTTP statuses and meanings."""

from collections.abc import Mapping, Sequence
from typing import Any

# code -> (HTTP status, what it means and what to do)
ERRORS: Mapping[str, tuple[int, str]] = {
    "malformed_request": (400, "The request is not valid HTTP; the message says why, and the connection is closed."),
    "body_empty": (400, "The request has no body."),
    "body_not_json": (400, "The body is not valid JSON, although its content type or first character says so."),
    "body_not_object": (400, "The body is valid JSON but no object."),
    "input_missing": (400, "The JSON object has neither `input_data` nor `image`; or lacks a parameter of a script."),
    "input_invalid": (400, "The images are not in the form that the path takes; the message says which that is."),
    "signature_mismatch": (400, "A table lacks a column of the model's signature."),
    "body_not_text": (400, "The body is not text in UTF-8, which the script expects."),
    "compression_invalid": (400, "The body is not compressed as its `Content-Encoding` says, or is damaged."),
    "form_invalid": (400, "The multipart form cannot be read, or holds no file."),
    "unauthorized": (401, "A bearer key is required, and the request has none or a wrong one."),
    "admin_disabled": (403, "The server was started without --admin-keys-file, so that nobody may change deployments."),
    "model_unknown": (404, "There is no model of this name or version; the message lists those there are."),
    "not_found": (404, "There is nothing at this path."),
    "method_not_allowed": (405, "The path exists, but not for this method."),
    "deployment_in_use": (409, "The deployment gets traffic, and cannot be removed before another one does."),
    "headers_timeout": (408, "The headers did not arrive within --idle-timeout-ms; the connection is closed."),
    "body_timeout": (408, "The body did not arrive before the request's deadline."),
    "body_too_large": (413, "The body is larger than the server accepts, perhaps only once it is decompressed."),
    "too_many_images": (
        413,
        "The request holds more images than the server accepts at once, or than it can do in time.",
    ),
    "too_many_values": (413, "The request holds more JSON values, or cells of a table, than images need."),
    "content_type": (415, "The content type is none that the path takes, such as JSON; the message lists those."),
    "content_encoding": (415, "The body is compressed in another way than by gzip or deflate."),
    "image_invalid": (422, "At least one image cannot be scored; `details` names each position and its reason."),
    "base64_invalid": (422, "In `details`: the image is not base64."),
    "image_empty": (422, "In `details`: the image has no bytes."),
    "image_too_large": (422, "In `details`: the image has more bytes or pixels than the server accepts."),
    "image_format": (422, "In `details`: the bytes are no image of a format the server reads."),
    "image_unreadable": (422, "In `details`: the image is damaged, incomplete or of a kind that is not read."),
    "image_too_complex": (422, "In `details`: decoding the image takes more computing than the server spends on one."),
    "tiles_empty": (422, "In `details`: the image has fewer pixels than tiles along one side."),
    "inference_parameters_invalid": (
        422,
        "A key of `inference_parameters` is unknown, of the wrong type or out of range for the model, or the server "
        "takes none.",
    ),
    "xai_parameters_invalid": (422, "A key of `xai_parameters` is unknown, of the wrong type or out of range."),
    "algorithm_unknown": (422, "There is no such explanation algorithm."),
    "algorithm_unsupported": (422, "The model, or the reply of the script, does not suit the explanation algorithm."),
    "target_unknown": (422, "The target is no label of the model, or no box of the reply."),
    "box_invalid": (422, "A target that is a box lacks a corner or its label, or its corners are not in order."),
    "box_unmatched": (422, "The network has nothing near the box that is to be explained; the message says how near."),
    "attribution_invalid": (422, "The network's gradients on this image are no numbers that could be drawn."),
    "deployment_is_script": (422, "The deployment is a script, which is asked at `/score` alone."),
    "deployment_invalid": (
        422,
        "The change of deployments is not of the right form, or names a model that is not there.",
    ),
    "deployment_failed": (422, "The deployment cannot serve; the message says why, and what served before goes on."),
    "reply_too_large": (422, "The reply would be larger than one can be; ask for fewer images or attributions."),
    "queue_full": (429, "The server is busy; `Retry-After` says when there is room."),
    "request_id_too_long": (431, "The `x-request-id` header, or one of the `x-ms-` ids, has more than 100 characters."),
    "headers_too_large": (
        431,
        "The path and headers, or the trailers, have more than 64 kB or 200 fields; the connection is closed.",
    ),
    "internal_error": (500, "Something unforeseen; the server's log has it under the request id."),
    "scoring_failed": (500, "The model failed on an image; its batch mates were scored."),
    "script_failed": (500, "The script raised an error on this request; the server's log has it under the request id."),
    "script_timeout": (500, "The script took longer than --scoring-timeout-ms, and its process was replaced."),
    "script_ended": (500, "The script's process ended while it worked on this request, and was replaced."),
    "engine_unavailable": (503, "The model or script is loading, or its process ended and is being started again."),
    "too_many_connections": (503, "All connections are in use, and only probes are answered on further ones."),
    "draining": (503, "The server is shutting down."),
    "out_of_memory": (503, "The device has not enough memory for this image."),
    "deadline_exceeded": (504, "The request was not scored in time."),
}

# codes of errors of a single image; all others are errors of a request
IMAGE_CODES = frozenset(code for code, (_, meaning) in ERRORS.items() if meaning.startswith("In `details`"))


class ServiceError(Exception):
    """An error for the client: a code of ERRORS, and a message that says what was given, expected, and what to do.

    `details` are objects for the response, one for each bad image. `retry_after_s` becomes the header Retry-After.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Sequence[Mapping[str, Any]] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        """The HTTP status of this error."""
        return ERRORS[self.code][0]


def internal_error() -> ServiceError:
    """Return what a client is told of an error that was not foreseen."""
    return ServiceError("internal_error", "An unexpected error occurred. The server's log has the cause.")
