"""The API page at /docs. All its files come from here, so that it works without the internet.

The page is Swagger UI, unchanged; static/swagger-ui/NOTICE names its version and licence.
"""

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from server.static_files import CURRENT, StaticFile

_STATIC = Path(__file__).parent / "static"
_PAGE = "page.html"
_FILES = {
    path.name: path
    for path in (
        _STATIC / "start.js",
        _STATIC / "swagger-ui" / "swagger-ui.css",
        _STATIC / "swagger-ui" / "swagger-ui-bundle.js",
    )
}

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def page(request: Request) -> Response:
    """Show the API, to read and to try."""
    if request.scope["raw_path"].endswith(b"/"):  # from there, the page's relative paths would lead nowhere
        return RedirectResponse("../docs")
    return _file(_STATIC / _PAGE).response(request, CURRENT)


@router.get("/docs/{name}", include_in_schema=False)
async def page_file(request: Request, name: str) -> Response:
    """Return a file of the page; 404 for any other name."""
    if name not in _FILES:
        raise HTTPException(404)
    file = await run_in_threadpool(_file, _FILES[name])
    return file.response(request, CURRENT)


@cache
def _file(path: Path) -> StaticFile:
    """Read and compress a file when somebody first asks for it: few servers are asked, and it takes a while."""
    return StaticFile.read(path)
