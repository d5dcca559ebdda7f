"""The modules of the page, each on its own, in a browser: without a server, and before they are joined."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route

from server.page.joining import joined_style
from tests.support.browser import Tab
from tests.support.repository import ROOT

_STATIC = ROOT / "server/page/static"
_STYLE = Path("style.css")
_ORIGIN = "http://localhost:1"  # where nothing listens
_EMPTY = f"""<!doctype html>
<html lang="en"><title>Modules</title><link rel="stylesheet" href="{_STYLE}"><main id="modules"></main>"""


def open_modules(tab: Tab, files: Mapping[str, bytes] | None = None) -> Page:
    """Return an empty page in the style of ours, with `main id="modules"`.

    Its scripts may import modules by their paths in `static`, such as `/images/notes.js`, and fetch `files` by name.
    """
    given = files or {}

    def answer(route: Route) -> None:
        path = Path(urlsplit(route.request.url).path).relative_to("/")
        if path.name in given:
            route.fulfill(body=given[path.name])
        elif path == _STYLE:
            route.fulfill(body=joined_style(_STATIC / _STYLE), content_type="text/css")
        elif path.suffix == ".js":
            route.fulfill(path=_STATIC / path, content_type="text/javascript")
        else:
            route.fulfill(body=_EMPTY, content_type="text/html; charset=utf-8")

    tab.context.route(f"{_ORIGIN}/**", answer)
    return tab.open(f"{_ORIGIN}/")
