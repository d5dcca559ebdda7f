"""Requests to scripts: raw requests in, raw responses out, with the headers that the hosted endpoint adds."""

import time
from collections.abc import Sequence

from fastapi import Request, Response

from server.api.admission import AdmittedRequest
from server.api.disconnect import cancel_on_disconnect
from server.api.timing import server_timing, timing_facts
from server.codecs.body import read_body
from server.hosted import DEPLOYMENT, RUN_FAILED, RUN_MS, SCORE
from server.inference.deployments import script_error
from server.ipc.raw_http import RawReply, RawRequest

# headers of the connection, and those that this server writes: a script must not set them
_RESERVED = frozenset(
    {"connection", "content-length", "date", "keep-alive", "proxy-authenticate", "server", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "x-request-id"}
)
_NO_BODY = (204, 205, 304)


async def run_script(request: Request, admitted: AdmittedRequest) -> Response:
    """Have the deployment's script respond: read -> run -> write.

    ServiceError `deployment_is_script` on any path but that of scoring; else as `read_body` and the script's process
    raise it.
    """
    deployment, deadline = admitted.deployment, admitted.deadline
    if request.scope["route"].path != SCORE:
        raise script_error(deployment)
    raw_request = await _read(request, admitted)
    read_s = time.monotonic() - admitted.started
    reply = await cancel_on_disconnect(request, deployment.engines.answer(raw_request, deadline), deadline)
    stages = {"read": read_s, **reply.stages}
    admitted.facts.update(timing_facts(stages))
    timing = server_timing(stages, time.monotonic() - admitted.started, admitted.facts)
    return _write(reply, deployment.name, timing)


async def _read(request: Request, admitted: AdmittedRequest) -> RawRequest:
    settings = admitted.deployment.settings
    body = await read_body(
        request,
        settings.max_body_bytes,
        admitted.deadline,
        accepts_media_type=lambda media_type: True,
        media_types="any",
        held=admitted.held,
    )
    return RawRequest(
        method=request.method,
        path=request.scope["path"],
        query=request.scope["query_string"].decode("latin-1"),
        headers=_headers(request, len(body.data), hides_key=settings.keys_file is not None),
        body=body.data,
        request_id=admitted.request_id,
    )


def _headers(request: Request, size: int, *, hides_key: bool) -> Sequence[tuple[str, str]]:
    # a script may write headers to its log, and must not see the server's own key
    headers = [(name, value) for name, value in request.headers.items() if not (hides_key and name == "authorization")]
    if "content-encoding" not in request.headers:
        return headers
    decompressed = {"content-encoding": None, "content-length": str(size)}
    return [(name, value) for name, given in headers if (value := decompressed.get(name, given)) is not None]


def _write(reply: RawReply, deployment: str, timing: str) -> Response:
    body = b"" if reply.status in _NO_BODY else reply.body
    response = Response(body, reply.status)
    ours = {RUN_FAILED: str(reply.failed), "server-timing": timing, DEPLOYMENT: deployment}
    if reply.exec_ms is not None:
        ours[RUN_MS] = f"{reply.exec_ms:.3f}"
    pairs = [(name.lower(), value) for name, value in reply.headers if name.lower() not in _RESERVED]
    response.raw_headers = [
        *((name.encode(), value.encode("latin-1")) for name, value in [*pairs, *ours.items()]),
        *(header for header in response.raw_headers if header[0] == b"content-length"),
    ]
    return response
