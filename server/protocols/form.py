"""A multipart form with one or more files -> a JSON array, as in version 2 of the hosted endpoint."""

from server.errors import ServiceError
from server.hosted import hosted
from server.inference.scoring import ImageInput
from server.protocol import ProtocolRequest, ScoreRequest, json_array


def _read(request: ProtocolRequest) -> ScoreRequest:
    if not request.content:
        raise ServiceError(
            "form_invalid",
            "The form holds no file, or none was chosen in its file fields. Send each picture as a file of any name.",
        )
    return ScoreRequest([ImageInput(file) for file in request.content])


PROTOCOL = hosted(
    "form",
    summary="Score the files of a multipart form, with the reply of version 2.",
    read=_read,
    write=json_array,
    matches=lambda content: isinstance(content, list),
)
