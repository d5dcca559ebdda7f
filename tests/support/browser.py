"""A real browser, and tabs that notice what a page of ours must never do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, FilePayload, Page, Request, WebError, expect, sync_playwright

from tests.support.system_tools import system_tool

_FLAGS = (
    "--headless",
    "--no-sandbox",  # it refuses to start as root with one
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    # what a page asks of another origin is noticed, and gets no answer even where there is one
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_PATIENCE_MS = 120_000  # however slow and busy the machine is
_OF_PAGE = ("about", "blob", "data")
# a policy that is violated is told in the console, too, but not everywhere
_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`policy violated: ${event.effectiveDirective} ${event.blockedURI}`);
});
"""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Debian's Chromium; skips the test where it is not installed.

    Nothing else may run an event loop on this thread until the block ends, so that a module or a package of tests keeps
    a browser, and no session does.
    """
    chromium = system_tool("chromium")
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS), timeout=_PATIENCE_MS)
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """A tab with cookies and a cache of its own. A block that ends without an error fails where `faults` has any.

    `options` are those of Browser.new_context, such as `color_scheme`, `viewport` or `offline`.
    """

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(_PATIENCE_MS)
        self.context.add_init_script(_TELL_VIOLATIONS)
        self.context.on("console", self._told)
        self.context.on("weberror", self._failed)
        self.context.on("request", self._asked)
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.faults: list[str] = []
        self._origins: set[str] = set()
        self._expected: list[str] = []

    def open(self, url: str) -> Page:
        """Go to a page of a server, whose origin is one that the tab may ask from now on."""
        self._origins.add(_origin(url))
        self.page.goto(url)
        return self.page

    def expect(self, words: str) -> None:
        """Let the console hold messages with these words, such as those about a status that a test provokes."""
        self._expected.append(words)

    def _told(self, message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        self._note(f"console {message.type}: {message.text} {where}")

    def _failed(self, error: WebError) -> None:
        self._note(f"uncaught: {error.error}")

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)
        if urlsplit(request.url).scheme not in _OF_PAGE and _origin(request.url) not in self._origins:
            self._note(f"another origin: {request.url[:200]}")

    def _note(self, fault: str) -> None:
        if not any(words in fault for words in self._expected):
            self.faults.append(fault)

    def accessibility_violations(self) -> list[str]:
        """Return what axe finds wrong with the page as it is now: rule, element, reason."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
            for violation in found
            for node in violation["nodes"]
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.page.wait_for_timeout(1)  # messages on their way arrive
        finally:
            self.context.close()
        if kind is None:
            assert not self.faults, "\n".join(self.faults)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def choose_files(page: Page, files: Mapping[str, bytes]) -> None:
    """Give the page files, by their names, as somebody does in the dialog of files."""
    payloads: list[FilePayload] = [
        {"name": name, "mimeType": "application/octet-stream", "buffer": content} for name, content in files.items()
    ]
    page.locator("input[type=file]").first.set_input_files(payloads)
