"""The description of the API for programs, whose requests go below the prefix that a proxy shows."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from server.api.state import AppState

router = APIRouter()


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi(request: Request) -> JSONResponse:
    """Describe all routes in OpenAPI 3.1."""
    described = request.app.openapi()
    if prefix := AppState.of(request).prefix(request):
        described = {**described, "servers": [{"url": prefix}]}
    return JSONResponse(described)
