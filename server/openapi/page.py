"""The API page at /docs. All its files come from here, so that it works without the internet.

The page is Swagger UI, unchanged; static/swagger-ui/NOTICE names its version and licence.
"""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

_STATIC = Path(__file__).parent / "static"
_PAGE = (_STATIC / "page.html").read_bytes()
_FILES = {
    "start.js": StaticFiles(directory=_STATIC),
    **dict.fromkeys(("swagger-ui.css", "swagger-ui-bundle.js"), StaticFiles(directory=_STATIC / "swagger-ui")),
}
_HEADERS = {
    # nothing from another origin, no script within the page; Swagger UI's icons are data
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # so that a browser asks whether its copy is current, after an update of the server
}

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def page(request: Request) -> Response:
    """Show the API, to read and to try."""
    if request.scope["raw_path"].endswith(b"/"):  # from there, the page's relative paths would lead nowhere
        return RedirectResponse("../docs")
    return HTMLResponse(_PAGE, headers=_HEADERS)


@router.get("/docs/{name}", include_in_schema=False)
async def page_file(request: Request, name: str) -> Response:
    """Return a file of the page; 404 for any other name."""
    if name not in _FILES:
        raise HTTPException(404)
    response = await _FILES[name].get_response(name, request.scope)
    response.headers.update(_HEADERS)
    return response
