"""A page in the browser that the tests use, and what it transfers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Page

from tests.support.browser import running_browser


@contextmanager
def browser_page(port: int) -> Iterator[tuple[Page, Callable[[], float]]]:
    """Open /ui of a server; gives the page, and a function that returns the bytes that came over the network so far."""
    transferred: list[float] = []
    with running_browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda event: transferred.append(event["encodedDataLength"]))
        page.goto(f"http://127.0.0.1:{port}/ui", wait_until="networkidle")
        yield page, lambda: sum(transferred)
