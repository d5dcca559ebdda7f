"""Several models behind one port: shares of traffic, changes without a lost request, and who may make them."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.errors import ServiceError
from server.inference.deployments import Deployments
from server.ipc.routing_table import RoutingTable
from tests.support import http
from tests.support.contract import contract
from tests.support.folders.checkpoints import seeded_network, write_automl_folder
from tests.support.images import encoded, painted
from tests.support.routes import route
from tests.support.servers.live_server import LiveServer

FINE = encoded(painted(1, 120, 90), "JPEG")
ADMIN, USER = {"authorization": "Bearer of-admins"}, {"authorization": "Bearer of-users"}
NAME = "azureml-model-deployment"


SHARES = {"blue": 75, "green": 25}


class Site:
    """A server with the deployments blue and green, and what a test does with it."""

    def __init__(self, folder: Path) -> None:
        for seed, name in enumerate(("blue", "green", "next")):
            write_automl_folder(folder / name, sizes=(40, 32), state=seeded_network(crop=32, seed=seed).state_dict())
        write_automl_folder(folder / "broken", sizes=(40, 32))
        weights = next((folder / "broken").rglob("model.pt"))
        weights.write_bytes(weights.read_bytes()[:100_000])
        self.file = folder / "deployments.json"
        plan = {
            "deployments": {"blue": {"model": "blue"}, "green": {"model": "green", "settings": {"max_images": 2}}},
            "traffic": SHARES,
        }
        self.file.write_text(json.dumps(plan))
        self.folder = folder
        for name in ("users", "admins"):
            (folder / name).write_text(f"of-{name}\n")
        keys = ("--keys-file", folder / "users", "--admin-keys-file", folder / "admins")
        self.server = LiveServer("--deployments", self.file, *keys, "--http-processes", "2", ready_within_s=120)

    def post(self, **options: Any) -> httpx.Response:
        return http.post(self.server.url + "/score", content=FINE, timeout=60, **{"headers": USER, **options})

    @contextmanager
    def half_sent(self, name: str) -> Iterator[HTTPConnection]:
        """Begin a request to a deployment whose first 100 bytes are there."""
        with closing(HTTPConnection(self.server.url.removeprefix("http://"), timeout=60)) as request:
            request.putrequest("POST", "/score")
            length = {"content-type": "image/jpeg", "content-length": str(len(FINE))}
            for header, value in (USER | {NAME: name} | length).items():
                request.putheader(header, value)
            request.endheaders(FINE[:100])
            time.sleep(0.2)
            yield request

    def probs(self, name: str) -> list[float]:
        reply = self.post(headers={**USER, NAME: name})
        assert reply.status_code == 200, reply.text
        return list(reply.json()["probs"])

    def admin(self, method: str, path: str, content: Any = None, headers: dict[str, str] = ADMIN) -> httpx.Response:
        return http.request(method, self.server.url + path, json=content, headers=headers, timeout=120)

    def states(self) -> dict[str, str]:
        found = self.admin("GET", "/deployments").json()["deployments"]
        return {name: one["state"] for name, one in found.items()}

    def share(self, **content: Any) -> None:
        assert self.admin("PUT", "/traffic", content).status_code == 200

    def restore(self) -> None:
        """Undo what tests changed, so that none depends on another."""
        if "green" not in (states := self.states()):
            green = {"model": str(self.folder / "green"), "settings": {"max_images": 2}}
            assert self.admin("PUT", "/deployments/green", green).status_code == 200
        self.share(traffic=SHARES, mirror={})
        for name in states.keys() - SHARES.keys():
            assert self.admin("DELETE", f"/deployments/{name}").status_code == 200


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    with site.server:
        # the server is ready with the first of them
        site.server.wait_for(lambda: site.states() == {"blue": "ready", "green": "ready"}, 60)
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    running.restore()
    return running


@contract("Routes, headers and life cycle", "Traffic is shared by percentages among deployments, and mirrored")
def test_requests_are_shared_by_percentages(site: Site) -> None:
    with http.Client(headers=USER) as client:  # one connection, so that one HTTP process does all the sharing
        answered = Counter(client.post(site.server.url + "/score", content=FINE).headers[NAME] for _ in range(40))
    assert abs(answered["blue"] - 30) <= 1, "by one where a deployment before had not had all of its share"


@contract(
    "Routes, headers and life cycle", "The header `azureml-model-deployment` names a deployment; 404 for an unknown one"
)
def test_a_request_may_name_its_deployment(site: Site) -> None:
    blue, green = site.probs("blue"), site.probs("green")
    assert max(abs(p - q) for p, q in zip(blue, green, strict=True)) > 0.01
    reply = site.post(headers={**USER, NAME: "gren"})
    assert (reply.status_code, reply.json()["code"]) == (404, "model_unknown")
    assert "Known: blue, green. Did you mean 'green'" in reply.json()["message"]


def test_each_has_limits_of_its_own(site: Site) -> None:
    replies = [site.server.score([FINE] * 3, headers={**USER, NAME: name}) for name in ("blue", "green")]
    assert [reply.status_code for reply in replies] == [200, 413]


def test_only_those_with_an_admin_key_may_change_anything(site: Site) -> None:
    for headers in (USER, {}):
        assert site.admin("GET", "/deployments", headers=headers).status_code == 401
        assert site.admin("DELETE", "/deployments/green", headers=headers).status_code == 401
    assert site.post(headers=ADMIN).status_code == 401, "and an admin key is none for scoring"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (("PUT", "/deployments/red", {"model": "/no/such"}), (422, "deployment_invalid", "/no/such does not exist")),
        (("PUT", "/deployments/red", {"model": "x" * 5000}), (422, "deployment_invalid", "File name too long")),
        (("PUT", "/deployments/red", {"model": "\u00e9" * 2**16}), (413, "body_too_large", "accepts up to 65536")),
        (("PUT", "/traffic", {f"{number}": 1 for number in range(5000)}), (422, "deployment_invalid", "The key '0'")),
        (
            ("PUT", "/traffic", {"mirror": dict.fromkeys(map(str, range(5000)), 101)}),
            (422, "deployment_invalid", "There are 4995 more such errors."),
        ),
        (("PUT", "/traffic", {"x" * 60_000: 1}), (422, "deployment_invalid", "is none of 'traffic' and 'mirror'")),
        (
            ("PUT", "/deployments/red", {f"{number}": 1 for number in range(5000)}),
            (422, "deployment_invalid", "There are 4995 more such errors."),
        ),
        (("PUT", "/deployments/red", {}), (422, "deployment_invalid", 'either "model", a folder, or "name"')),
        (("PUT", "/deployments/a b", {"model": "x"}), (422, "deployment_invalid", "a b")),
        (("PUT", "/deployments/red", {"model": "x", "settings": {"port": 1}}), (422, "deployment_invalid", "'port'")),
        (("DELETE", "/deployments/red", None), (404, "model_unknown", "Known: blue, green")),
        (("DELETE", "/deployments/blue", None), (409, "deployment_in_use", "gets 75 percent")),
        (("PUT", "/traffic", {"traffic": {"blue": 50}}), (422, "deployment_invalid", "add up to 50")),
        (("PUT", "/traffic", {"traffic": {"red": 100}}), (422, "deployment_invalid", "no deployment 'red'")),
        (("PUT", "/traffic", {"trafic": {}}), (422, "deployment_invalid", "'trafic'")),
        (("PUT", "/traffic", ["blue"]), (400, "body_not_object", "a list")),
        (("PUT", "/traffic", None), (400, "body_empty", "empty")),
    ],
)
def test_a_change_that_is_not_possible_changes_nothing(
    site: Site, command: tuple[str, str, Any], answer: tuple[int, str, str]
) -> None:
    before = site.admin("GET", "/deployments").json()
    reply = site.admin(*command)
    assert (reply.status_code, reply.json()["code"]) == answer[:2]
    assert answer[2] in reply.json()["message"]
    assert len(reply.content) < 2000
    assert site.admin("GET", "/deployments").json() == before


def test_a_version_that_cannot_serve_says_why_and_never_gets_a_request(site: Site) -> None:
    before = site.probs("green")
    reply = site.admin("PUT", "/deployments/green", {"model": str(site.folder / "broken")})
    assert (reply.status_code, reply.json()["code"]) == (422, "deployment_failed")
    assert "is damaged or incomplete" in reply.json()["message"]
    assert site.probs("green") == before
    assert site.admin("GET", "/deployments").json()["deployments"]["green"]["state"] == "ready"


def test_versions_are_added_promoted_replaced_and_removed_under_load(site: Site) -> None:
    outcomes: Counter[str] = Counter()
    done = threading.Event()

    def client() -> None:
        with http.Client(headers=USER, timeout=60) as user:
            while not done.is_set():
                try:
                    reply = user.post(site.server.url + "/score", content=FINE)
                    outcomes[f"{reply.status_code}"] += 1
                except httpx.TransportError as error:
                    outcomes[f"lost: {error!r}"] += 1

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        blue, green = site.probs("blue"), site.probs("green")
        added = site.admin("PUT", "/deployments/next", {"model": str(site.folder / "next")})
        assert added.status_code == 200, added.text
        state = added.json()["deployments"]["next"]
        assert (state["state"], state["traffic"]) == ("ready", 0)
        new = site.probs("next")
        assert new not in (blue, green)
        site.share(traffic={"next": 100})
        assert {site.post().headers[NAME] for _ in range(8)} == {"next"}, "all goes to the new one at once"
        with site.half_sent("green") as request, ThreadPoolExecutor(1) as pool:
            removed = pool.submit(site.admin, "DELETE", "/deployments/green")
            time.sleep(0.5)
            request.send(FINE[100:])
            assert request.getresponse().status == 200, "one that was let in before is answered"
            assert removed.result().status_code == 200
        replaced = site.admin("PUT", "/deployments/next", {"model": str(site.folder / "green")})
        assert replaced.status_code == 200, replaced.text
        assert site.probs("next") == pytest.approx(green, abs=1e-6)
        assert list(json.loads(site.file.read_text())["deployments"]) == ["blue", "next"], "the file is kept"
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    assert set(outcomes) == {"200"}, outcomes
    assert outcomes["200"] > 20
    # those that were replaced end after their last reply
    site.server.wait_for(lambda: len(site.server.children("server.engine")) == 2)


def test_a_shadow_gets_copies_and_answers_no_request(site: Site) -> None:
    site.share(traffic={"blue": 100}, mirror={"green": 50})
    before = site.server.metric("sightglass_mirrored_images_total", deployment="green")
    with http.Client(headers=USER) as client:
        answered = Counter(client.post(site.server.url + "/score", content=FINE).headers[NAME] for _ in range(10))
    assert answered == {"blue": 10}
    site.server.wait_for(
        lambda: site.server.metric("sightglass_mirrored_images_total", deployment="green") == before + 5
    )


def test_a_dead_deployment_leaves_its_requests_to_the_others(site: Site) -> None:
    site.share(traffic={"blue": 50, "green": 50})
    before, victim = site.server.children("server.engine")  # that of green was started last
    victim.kill()
    time.sleep(0.2)
    replies = [site.post() for _ in range(6)]
    assert {(reply.status_code, reply.headers.get(NAME)) for reply in replies} == {(200, "blue")}
    assert before.is_running()
    assert site.server.probe("/health/ready") == 200
    site.server.wait_for(lambda: site.post(headers={**USER, NAME: "green"}).status_code == 200, 60)


def ready(deployments: Deployments, *names: str) -> None:
    for deployment in deployments:
        for client in deployment.engines.clients:
            client.ready = deployment.name in names


def test_turns_come_as_close_to_the_shares_as_whole_requests_can() -> None:
    shares = {"a": 62.5, "b": 25.0, "c": 12.5}
    deployments = Deployments(RoutingTable(routes=(route("a"), route("b"), route("c"), route("d")), traffic=shares))
    ready(deployments, "a", "b", "c", "d")
    chosen = [deployments.choose(None).name for _ in range(80)]
    assert Counter(chosen) == {"a": 50, "b": 20, "c": 10}
    assert Counter(chosen[8:16]) == {"a": 5, "b": 2, "c": 1}
    ready(deployments, "b", "c")
    assert Counter(deployments.choose(None).name for _ in range(30)) == {"b": 20, "c": 10}
    ready(deployments)
    assert not deployments.ready
    assert {deployments.choose(None).name for _ in range(8)} == {"a", "b", "c"}, "whose engine then says what is wrong"


def test_versions_in_paths_are_checked() -> None:
    deployments = Deployments(RoutingTable(routes=(route("a", 3), route("b")), traffic={"a": 100}))
    assert deployments.named("a", "3").name == "a"
    assert deployments.named("b", "1").name == "b"
    for name, version in (("a", "2"), ("b", "2"), ("x", None)):
        with pytest.raises(ServiceError, match=r"There is no model 'x'|has the version") as caught:
            deployments.named(name, version)
        assert caught.value.status == 404


def test_an_only_model_without_a_name_does_not_mind_how_it_is_called() -> None:
    deployments = Deployments(RoutingTable(routes=(route("fridge"),), traffic={"fridge": 100}, named=False))
    assert deployments.choose("blue").name == "fridge"
