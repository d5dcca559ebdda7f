"""The hosted endpoint's routes beside POST /score: GET and OPTIONS on /score, and /swagger.json."""

from dataclasses import replace
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from server.api.admission import AdmittedRequest
from server.api.routes.allowed_methods import options_response
from server.api.routes.scoring import parse_content, score_images, write_response
from server.api.routes.script_scoring import run_script
from server.api.state import AppState
from server.errors import ServiceError
from server.hosted import DEPLOYMENT, RUN_FAILED, SCORE, SCORE_REPLY
from server.openapi.keys import NEEDS_SCORING_KEY
from server.openapi.schemas import HTML, JSON, TEXT, json_reply, open_object, parameter, reply
from server.openapi.swagger import swagger
from server.protocol_catalog import PROTOCOLS_BY_PATH

# The hosted endpoint repeats the query as HTML, and so do we, but a browser must not run what stands in a link
_ECHO = {"content-security-policy": "default-src 'none'; sandbox", "x-content-type-options": "nosniff"}
_SCORED = reply({JSON: SCORE_REPLY, HTML: TEXT})  # the path, where the query holds nothing to score
_SWAGGER = json_reply(open_object("Swagger 2, or OpenAPI 3."))


def _query(name: str) -> dict[str, Any]:
    return {"parameters": [parameter("query", name), parameter("header", DEPLOYMENT)]}


router = APIRouter(tags=["scoring"])


@router.get(SCORE, openapi_extra=_query("input_data") | NEEDS_SCORING_KEY | _SCORED)
async def get_score(request: Request) -> Response:
    """Return the path, as the hosted endpoint does; or score `input_data` of the query, or have a script answer."""
    has_input = "input_data" in request.query_params
    if has_input or _has_scripts(request):
        with AdmittedRequest.of(request) as admitted:
            if admitted.is_to_script:
                return await run_script(request, admitted)
            if has_input:
                return await _score_query(request, admitted)
    query = f"?{request.url.query}" if request.url.query else ""
    return PlainTextResponse(request.url.path + query, headers=_ECHO | {RUN_FAILED: "False"}, media_type="text/html")


async def _score_query(request: Request, admitted: AdmittedRequest) -> Response:
    content = {name: _json_or_text(value) for name, value in request.query_params.items()}
    asked = replace(admitted.protocol_request(SCORE, request.path_params, request.headers), content=content)
    protocol, score_request = await parse_content(PROTOCOLS_BY_PATH[SCORE], asked, 0)
    reply = await score_images(request, admitted, score_request)
    return write_response(admitted, protocol, score_request, reply)


def _json_or_text(value: str) -> Any:
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


@router.options(SCORE, include_in_schema=False)
async def options_score(request: Request) -> Response:
    """Return an empty response; a script gets a request with a key. Preflights of allowed origins do not come here."""
    if _has_scripts(request) and _has_key(request):
        with AdmittedRequest.of(request) as admitted:
            if admitted.is_to_script:
                return await run_script(request, admitted)
    return options_response(request)


def _has_key(request: Request) -> bool:
    try:
        AppState.of(request).keys.check(request.headers.get("authorization"))
    except ServiceError:
        return False
    return True


def _has_scripts(request: Request) -> bool:
    return any(deployment.route.kind == "script" for deployment in AppState.of(request).deployments)


@router.get("/swagger.json", openapi_extra=_query("version") | _SWAGGER)
async def get_swagger(request: Request) -> Response:
    """Describe the routes of the hosted endpoint, by `?version=` in Swagger 2, OpenAPI 3 or 3.1."""
    state = AppState.of(request)
    deployment = state.deployments.choose(request.headers.get(DEPLOYMENT))
    described = swagger(
        request.query_params.get("version", "2"),
        deployment.model if deployment.route.kind == "model" else None,
        title=state.settings.swagger_title,
        service_version=state.settings.swagger_version,
        prefix=state.settings.swagger_prefix or state.prefix(request),
        scheme=state.proxies.scheme(request.scope),
    )
    return JSONResponse(described, headers={RUN_FAILED: "False"})
