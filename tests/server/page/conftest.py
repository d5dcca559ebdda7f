"""A browser and servers that the tests of the page share."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from benchmarks.proxies.refusals import key_flags
from tests.support.browser import Tab, running_browser
from tests.support.servers.live_server import LiveServer
from tests.support.servers.page_site import PageSite, write_samples


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, for as long as tests of this package run: see `running_browser`."""
    with running_browser() as running:
        yield running


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """A fresh tab; the test fails where it asked another origin, wrote into the console or violated a policy."""
    with Tab(browser) as opened:
        yield opened


@pytest.fixture(scope="package")
def page_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageSite]:
    """A server with models of all kinds. Tests leave it as it is."""
    with PageSite(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture(scope="package")
def keyed_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with samples and the key `benchmarks.proxies.refusals.SCORING_KEY`, of a script, which starts fast."""
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "secret_name.py").write_text("def init(): pass\ndef run(data): return {}\n")
    samples = ("--page-samples", write_samples(folder / "samples"))
    with LiveServer("--entry-script", folder / "secret_name.py", *samples, *key_flags(folder)) as running:
        yield running
