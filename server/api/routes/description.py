"""The description of the API for programs, whose requests go where it came from."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from server.api.state import AppState

router = APIRouter()


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi(request: Request) -> JSONResponse:
    """Describe all routes in OpenAPI 3.1, below the address that this client used, or below the prefix of a proxy."""
    # programs that read the description from a file need the whole address; a proxy may have changed the name in it
    url = AppState.of(request).prefix(request) or str(request.base_url).rstrip("/")
    return JSONResponse({**request.app.openapi(), "servers": [{"url": url}]})
