"""The API page needs nothing but this server, and runs no script that stands within it."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import expect

from tests.support import http
from tests.support.browser import Tab, running_browser
from tests.support.servers.protocol_site import ProtocolSite


class Page(HTMLParser):
    """What a page refers to, and what a strict policy forbids in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.forbidden: list[str] = []
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        for name, value in attrs:
            if name in ("src", "href"):
                self.references.append(value or "")
            if name.startswith("on") or name == "style":
                self.forbidden.append(f"{tag} {name}")

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in ("script", "style") and data.strip():
            self.forbidden.append(data)


@pytest.fixture(scope="module")
def page(site: ProtocolSite) -> Page:
    return Page(site.get("/docs").text)


def test_the_page_holds_no_script_and_refers_to_no_other_origin(page: Page) -> None:
    assert page.forbidden == []
    assert [reference for reference in page.references if urlsplit(reference).netloc] == []
    names = {reference.rpartition("/")[2] for reference in page.references}
    assert {"swagger-ui.css", "swagger-ui-bundle.js", "start.js", "openapi.json"} < names


def test_every_file_of_the_page_is_served_under_a_strict_policy(site: ProtocolSite, page: Page) -> None:
    paths = [urljoin("/docs", reference) for reference in page.references if not reference.startswith("data:")]
    types = {"css": "text/css", "js": "text/javascript", "json": "application/json"}
    for path in paths:
        reply = site.get(path)
        assert reply.status_code == 200, path
        assert reply.headers["content-type"].startswith(types[path.rpartition(".")[2]])
    for path in ("/docs", *(path for path in paths if path.startswith("/docs/"))):
        headers = site.get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert (policy["frame-ancestors"], headers["x-content-type-options"]) == ("'none'", "nosniff")


def test_style_sheet_and_start_refer_to_no_other_origin(site: ProtocolSite) -> None:
    urls = re.findall(r"url\(\s*['\"]?([^)]{0,40})", site.get("/docs/swagger-ui.css").text)
    assert urls
    assert [url for url in urls if not url.startswith("data:")] == []
    assert "@import" not in site.get("/docs/swagger-ui.css").text
    start = site.get("/docs/start.js").text
    assert not re.search(r"\w+://", start)
    assert "validatorUrl: null" in start, "by default it shows a badge of a service on the internet"


def test_a_browser_loads_files_once_and_finds_no_others(site: ProtocolSite) -> None:
    etag = site.get("/docs/swagger-ui-bundle.js").headers["etag"]
    again = http.get(site.server.url + "/docs/swagger-ui-bundle.js", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("page.html", "NOTICE", "%2e%2e/page.py", "none.js"):
        assert site.get(f"/docs/{name}").status_code == 404
    assert http.request("DELETE", site.server.url + "/docs").headers["allow"] == "GET, HEAD, OPTIONS"


def test_the_page_asks_for_everything_below_the_prefix_of_a_proxy(site: ProtocolSite, page: Page) -> None:
    below = "http://proxy/some/prefix/"
    (described,) = re.findall(r'^  url: "([^"]+)"', site.get("/docs/start.js").text, re.MULTILINE)
    references = [*page.references, described]
    assert [each for each in references if not urljoin(below + "docs", each).startswith((below, "data:"))] == []
    (server,) = re.findall(r'servers: \[{ url: "([^"]+)" }\]', site.get("/docs/start.js").text)
    assert urljoin(urljoin(below + "docs", described), server) == below, "and sends requests there"


def test_the_description_names_the_address_that_a_client_used(site: ProtocolSite) -> None:
    assert site.get("/openapi.json").json()["servers"][0]["url"] == site.server.url
    named = http.get(site.server.url + "/openapi.json", headers={"host": "vision.example:8080"}).json()
    assert named["servers"][0]["url"] == "http://vision.example:8080"


def test_a_browser_shows_all_operations_and_a_button_for_keys_and_asks_nobody_else(site: ProtocolSite) -> None:
    described = site.get("/openapi.json").json()["paths"]
    with running_browser() as browser, Tab(browser) as tab:
        shown = tab.open(site.server.url + "/docs")
        expect(shown.locator("button.authorize").first).to_be_visible()
        expect(shown.locator(".opblock")).to_have_count(sum(len(methods) for methods in described.values()))


def test_the_page_takes_keys_for_scoring_and_for_administration(site: ProtocolSite) -> None:
    described = site.get("/openapi.json").json()
    schemes = described["components"]["securitySchemes"]
    assert {name: scheme["scheme"] for name, scheme in schemes.items()} == {
        "scoring_key": "bearer",
        "admin_key": "bearer",
    }
    assert "security" not in described["paths"]["/score"]["post"], "this server needs no key"
    assert described["paths"]["/traffic"]["put"]["security"] == [{"admin_key": []}]
