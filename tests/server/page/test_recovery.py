"""What hinders the server is said in words, and the page goes on by itself: keys, a full queue, restarts."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.proxies.refusals import SCORING_KEY, key_flags
from benchmarks.serving import free_port
from tests.support import http
from tests.support.browser import Tab, choose_files
from tests.support.engines.faulty_model import LOGGED, SLOW, coloured
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer
from tests.support.servers.other_model import other_model

FAULTY = other_model("tests.support.engines.faulty_model:FaultyModel")
FINE = encoded(painted(1, 80, 80), "PNG")
REFUSED = "the server responded with a status of"  # in the console


@pytest.fixture(scope="module")
def server(fridge_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    flags = ("--queue-limit-ms", "1", "--request-timeout-ms", "20000", *key_flags(tmp_path_factory.mktemp("keys"))[:2])
    with LiveServer("--model", fridge_folder, *flags, command=FAULTY) as running:
        yield running


@pytest.fixture
def page(tab: Tab, server: LiveServer) -> Page:
    """The page, with its key given."""
    opened = tab.open(f"{server.url}/ui")
    give_key(opened, SCORING_KEY)
    expect(opened.get_by_text("resnet18")).to_be_visible()
    return opened


def give_key(page: Page, key: str) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Use this key").click()


def choose(page: Page, name: str, content: bytes) -> None:
    choose_files(page, {name: content})


def scored(page: Page) -> None:
    expect(page.get_by_role("button", name="milk_bottle")).to_be_visible()


def test_a_key_is_asked_for_once_and_kept_nowhere(tab: Tab, server: LiveServer) -> None:
    page = tab.open(f"{server.url}/ui")
    expect(page.get_by_role("heading", name="This server needs a key")).to_be_visible()
    assert "milk_bottle" not in page.content() and "resnet18" not in page.content()
    tab.expect(f"{REFUSED} 401")
    give_key(page, "another key")
    expect(page.get_by_role("alert")).to_have_text("The server does not know this key. Give another one.")
    give_key(page, SCORING_KEY)
    choose(page, "fine.png", FINE)
    scored(page)
    kept = "JSON.stringify([location.href, document.cookie, {...localStorage}, {...sessionStorage}])"
    assert SCORING_KEY not in page.evaluate(kept) + page.content()
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_role("heading", name="This server needs a key")).to_be_visible()


def test_a_full_queue_is_said_in_words_and_asked_again(tab: Tab, page: Page, server: LiveServer) -> None:
    tab.expect(f"{REFUSED} 429")
    with ThreadPoolExecutor(1) as pool:
        before = server.log().count(SLOW)
        headers = {"authorization": f"Bearer {SCORING_KEY}", "content-type": "image/png"}
        slow = pool.submit(http.post, server.url + "/score", content=coloured("slow"), headers=headers, timeout=60)
        server.wait_for(lambda: server.log().count(SLOW) > before)
        choose(page, "fine.png", FINE)
        expect(page.get_by_text("The page asks again by itself.")).to_be_visible()
        expect(page.get_by_text("429 queue_full")).to_be_visible()
        assert slow.result().status_code == 200
    scored(page)
    expect(page.get_by_text("The page asks again by itself.")).to_have_count(0)


def test_what_is_not_wanted_any_more_is_not_computed(tab: Tab, page: Page, server: LiveServer) -> None:
    tab.expect(f"{REFUSED} 429")
    choose(page, "slow.png", coloured("slow"))
    server.wait_for(lambda: SLOW in server.log())
    choose(page, "logged.png", coloured("logged"))
    page.get_by_role("button", name="Remove logged.png").click()
    scored(page)
    assert LOGGED not in server.log()


def test_the_page_outlives_an_engine_that_ends(tab: Tab, page: Page, server: LiveServer) -> None:
    tab.expect(f"{REFUSED} 503")
    choose(page, "kill.png", coloured("kill"))
    server.wait_for(lambda: not ready(server))
    expect(page.get_by_text("Not ready")).not_to_have_count(0)
    page.get_by_role("button", name="Remove kill.png").click()
    choose(page, "fine.png", FINE)
    scored(page)


def ready(server: LiveServer) -> bool:
    return server.probe("/health/ready") == 200


def test_the_page_outlives_a_server_that_shuts_down_and_starts_again(tab: Tab, fridge_folder: Path) -> None:
    flags = ("--model", fridge_folder, "--port", str(free_port()), "--drain-delay-ms", "3000")
    with LiveServer(*flags) as first:
        page = tab.open(f"{first.url}/ui")
        choose(page, "fine.png", FINE)
        scored(page)
        tab.expect("ERR_")
        first.process.terminate()
        expect(page.get_by_text("The server is shutting down and takes no new work.")).to_be_visible()
        first.process.wait(30)
    choose(page, "later.png", encoded(painted(2, 80, 80), "PNG"))
    expect(page.get_by_text("The server cannot be reached. The page keeps trying.")).to_be_visible()
    with LiveServer(*flags):
        scored(page)
