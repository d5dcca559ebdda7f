"""The page at /ui: its files need no key, but what it tells about models, and the images that it offers, do."""

import gzip

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from server.api.state import AppState
from server.page.assets import page_assets
from server.page.description import PageDescription
from server.page.samples import Samples
from server.static_files import CURRENT, FOR_EVER, PAGE_HEADERS, takes_gzip

STATE = "/ui/state"
_NOT_KEPT = {**PAGE_HEADERS, "cache-control": "no-store"}


def create_router(state: AppState) -> APIRouter:
    """Return the routes of the page. SettingsError where there are no images in the folder of samples."""
    router, assets, settings = APIRouter(), page_assets(), state.settings
    samples = Samples(settings.page_samples)
    description = PageDescription(
        state.deployments, settings, samples, assets.edition, keys_needed=settings.keys_file is not None
    )

    @router.get("/ui", include_in_schema=False)
    async def page(request: Request) -> Response:
        """Show the page."""
        if request.scope["raw_path"].endswith(b"/"):  # from there, the page's relative paths would lead nowhere
            return RedirectResponse("../ui")
        return assets.start.response(request, CURRENT)

    @router.get(STATE, include_in_schema=False)
    async def page_state(request: Request) -> Response:
        """Tell how the server does now, in every state of it."""
        return JSONResponse(description.state(), headers=_NOT_KEPT)

    @router.get("/ui/deployments", include_in_schema=False)
    async def page_catalog(request: Request) -> Response:
        """Tell what the deployments can do."""
        state.keys.check(request.headers.get("authorization"))
        return await run_in_threadpool(_catalog, description, compressed=takes_gzip(request))

    @router.get("/ui/samples/{name}", include_in_schema=False)
    async def page_sample(request: Request, name: str) -> Response:
        """Return an image that the page offers; 404 for any other name."""
        state.keys.check(request.headers.get("authorization"))
        found = await run_in_threadpool(samples.read, name)
        if found is None:
            raise HTTPException(404)
        return Response(found[0], headers=_NOT_KEPT, media_type=found[1])

    @router.get("/ui/{edition}/{path:path}", include_in_schema=False)
    async def page_file(request: Request, edition: str, path: str) -> Response:
        """Return a file of the page; 404 for those of another edition, and for any other name."""
        file = assets.files.get(path)
        if edition != assets.edition or file is None:
            raise HTTPException(404)
        return file.response(request, FOR_EVER)

    return router


def _catalog(description: PageDescription, *, compressed: bool) -> Response:
    """Write the catalog, which may hold thousands of labels. It takes milliseconds: no work for an event loop."""
    headers = {**_NOT_KEPT, "vary": "accept-encoding"}
    plain = JSONResponse(description.catalog(), headers=headers)
    if not compressed:
        return plain
    headers["content-encoding"] = "gzip"
    return Response(gzip.compress(plain.body), headers=headers, media_type=plain.media_type)
