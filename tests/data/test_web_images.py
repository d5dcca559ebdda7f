"""Images on the web: only where allowed, within bounds, and not from a private network by way of a public one."""

import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import MappingProxyType

import pytest

from data.errors import ImageUnavailableError
from data.sources.image_store import ImageStore

Reply = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A server on this machine whose replies a test sets by path; it counts the requests by path."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.requests: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests.append(self.path)
                site.replies[self.path](self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *args: None  # type: ignore[method-assign]
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    running = Site()
    yield running
    running.close()


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path, allow_http=True, cache=tmp_path / "cache")


def answer(
    content: bytes, status: int = 200, length: int | None = None, headers: Mapping[str, str] = MappingProxyType({})
) -> Reply:
    def reply(request: BaseHTTPRequestHandler) -> None:
        same = headers.get("ETag", headers.get("Last-Modified"))
        asked = request.headers["If-None-Match"] or request.headers["If-Modified-Since"]
        unchanged = same is not None and asked == same
        request.send_response(304 if unchanged else status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(0 if unchanged else len(content) if length is None else length))
        request.end_headers()
        if not unchanged:
            request.wfile.write(content)

    return reply


def refused(store: ImageStore, url: str, fault: str = "image_missing") -> str:
    with pytest.raises(ImageUnavailableError) as error:
        store.file(url)
    assert error.value.fault == fault
    return str(error.value)


def test_nothing_is_fetched_unless_allowed(site: Site, tmp_path: Path) -> None:
    site.requests.clear()
    assert "--allow-http" in refused(ImageStore(tmp_path), f"{site.url}/a.jpg")
    assert site.requests == []


def test_an_image_is_fetched(site: Site, store: ImageStore) -> None:
    site.replies["/a%20b.jpg?size=1&name=%C3%A4"] = answer(b"bytes")
    assert store.file(f"{site.url}/a b.jpg?size=1&name=ä").read_bytes() == b"bytes"
    assert store.found == {"on the web": 1}


@pytest.mark.parametrize(
    "headers", [{"ETag": '"1"'}, {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}], ids=["etag", "date"]
)
def test_the_server_says_whether_what_is_kept_is_still_good(
    headers: dict[str, str], site: Site, store: ImageStore
) -> None:
    site.replies["/a.jpg"] = answer(b"one", headers=headers)
    file = store.file(f"{site.url}/a.jpg")
    site.replies["/a.jpg"] = answer(b"not sent", headers=headers)
    assert store.file(f"{site.url}/a.jpg") == file
    assert file.read_bytes() == b"one"
    site.replies["/a.jpg"] = answer(b"two", headers={"ETag": '"2"'})
    assert store.file(f"{site.url}/a.jpg").read_bytes() == b"two"


def test_errors_are_told(site: Site, store: ImageStore) -> None:
    site.replies["/gone.jpg"] = answer(b"", 404)
    site.replies["/short.jpg"] = answer(b"half", length=8)
    assert "the server answers 404" in refused(store, f"{site.url}/gone.jpg")
    assert "breaks off after 4 of 8 bytes" in refused(store, f"{site.url}/short.jpg")
    assert "refused" in refused(store, "http://127.0.0.1:9/a.jpg")
    assert "cannot be had" in refused(store, "http://127.0.0.1:x/a.jpg")


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_large_images_are_not_fetched(
    told: bool, site: Site, store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.sources.web.MAX_BYTES", 2**20)

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        if told:
            request.send_header("Content-Length", str(2**40))
        request.end_headers()
        while True:
            request.wfile.write(bytes(2**16))

    site.replies["/large.jpg"] = endless
    assert "MiB" in refused(store, f"{site.url}/large.jpg", "image_unreadable")


@pytest.mark.parametrize("part", ["headers", "content"])
def test_slow_images_are_given_up(part: str, site: Site, store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.sources.web._SECONDS", 0.4)

    def slow(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.0 200 OK\r\n" + (b"" if part == "headers" else b"\r\n"))
        for _ in range(400):
            request.wfile.write(b"x")
            request.wfile.flush()
            time.sleep(0.05)

    site.replies["/slow.jpg"] = slow
    started = time.monotonic()
    refused(store, f"{site.url}/slow.jpg")
    assert time.monotonic() - started < 10


def test_redirects_are_followed_a_few_times(site: Site, store: ImageStore) -> None:
    site.replies["/old.jpg"] = answer(b"", 302, headers={"Location": "/new.jpg"})
    site.replies["/new.jpg"] = answer(b"bytes")
    site.replies["/round.jpg"] = answer(b"", 302, headers={"Location": "/round.jpg"})
    assert store.file(f"{site.url}/old.jpg").read_bytes() == b"bytes"
    assert "answers 302" in refused(store, f"{site.url}/round.jpg")


@pytest.mark.parametrize(
    "target", ["http://localhost:{port}/secret.jpg", "http://169.254.169.254/", "ftp://127.0.0.1/a"]
)
def test_a_redirect_does_not_lead_into_a_private_network(target: str, site: Site, store: ImageStore) -> None:
    site.requests.clear()
    site.replies["/away.jpg"] = answer(b"", 302, headers={"Location": target.format(port=site.url.rpartition(":")[2])})
    site.replies["/secret.jpg"] = answer(b"secret")
    assert "it redirects to" in refused(store, f"{site.url}/away.jpg")
    assert site.requests == ["/away.jpg"]


def test_a_blob_is_fetched_from_the_web_where_no_package_reads_its_store(
    site: Site, store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def fetch(url: str, cache: object) -> Path:
        fetched.append(url)
        return Path("fetched")

    monkeypatch.setattr("data.sources.image_store.find_spec", lambda name: None)
    monkeypatch.setattr("data.sources.image_store.fetch_from_web", fetch)
    assert store.file("https://acc.blob.core.windows.net/box/a.jpg?sig=1") == Path("fetched")
    assert fetched == ["https://acc.blob.core.windows.net/box/a.jpg?sig=1"]
