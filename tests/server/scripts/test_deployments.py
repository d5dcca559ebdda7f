"""Scripts beside models behind one port: shares of traffic, and changes while serving that lose no request."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support import http
from tests.support.images import encoded, painted
from tests.support.servers.persistent_clients import Clients
from tests.support.servers.script_site import NAME, ScriptSite, script

ADMIN = {"authorization": "Bearer of-admins"}
FINE = encoded(painted(1, 80, 60), "JPEG")
_FILES = {"entry_script": "score.py", "model_dir": "model"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, fridge_folder: Path) -> Iterator[ScriptSite]:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "admins").write_text("of-admins\n")
    deployments = {"score": script(workers=2), "fridge": {"model": str(fridge_folder)}}
    site = ScriptSite(folder, deployments, "--admin-keys-file", folder / "admins")
    with site.server:
        site.server.wait_for(lambda: site.ask("fridge", content=FINE).status_code == 200, 90)
        yield site


@pytest.fixture
def site(running: ScriptSite) -> ScriptSite:
    """The site without what tests changed, so that none depends on another."""
    score = script(workers=2) | {name: str(running.folder / file) for name, file in _FILES.items()}
    if Path(json.loads(running.file.read_text())["deployments"]["score"]["entry_script"]).name != "score.py":
        assert put(running, "score", score).status_code == 200
    assert admin(running, "PUT", "/traffic", {"traffic": {"score": 100}, "mirror": {}}).status_code == 200
    return running


def admin(site: ScriptSite, method: str, path: str, content: Any = None) -> httpx.Response:
    return http.request(method, site.server.url + path, json=content, headers=ADMIN, timeout=60)


def put(site: ScriptSite, name: str, content: dict[str, Any]) -> httpx.Response:
    return admin(site, "PUT", f"/deployments/{name}", content)


def test_each_is_asked_as_what_it_is(site: ScriptSite) -> None:
    assert site.ask("score", json={"data": [[1, 2, 3]]}).json() == [321.0]
    assert "probs" in site.ask("fridge", content=FINE).json()
    assert http.get(site.server.url + "/v1/models").json() == {"models": ["fridge"]}
    found = admin(site, "GET", "/deployments").json()["deployments"]
    assert (found["score"]["script"], found["score"]["state"]) == (str(site.folder / "score.py"), "ready")
    assert "model" not in found["score"]


def test_a_model_answers_other_methods_as_without_scripts(site: ScriptSite) -> None:
    found = site.ask("fridge", "GET")
    assert (found.status_code, found.text) == (200, "/score")
    assert site.ask("fridge", "OPTIONS").content == b""
    refused = site.ask("fridge", "PUT")
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_a_script_is_described_as_taking_anything(site: ScriptSite) -> None:
    def described(name: str) -> Any:
        url = site.server.url + "/swagger.json?version=3"
        return http.get(url, headers={NAME: name}).json()["components"]["schemas"]["ServiceInput"]

    assert described("score") == {}
    assert described("fridge")["required"] == ["input_data"]


def test_scripts_and_models_share_traffic(site: ScriptSite) -> None:
    assert admin(site, "PUT", "/traffic", {"traffic": {"score": 75, "fridge": 25}}).status_code == 200
    with http.Client(timeout=60) as client:
        replies = [client.post(site.server.url + "/score", json={"data": []}) for _ in range(8)]
    answered = Counter((reply.headers.get(NAME), reply.status_code) for reply in replies)
    # the model refuses what is no image, and an error names no deployment
    assert answered == {("score", 200): 6, (None, 400): 2}


def test_a_script_is_replaced_under_load(site: ScriptSite) -> None:
    (site.folder / "next.py").write_text("def init(): pass\ndef run(data): return 'next'")
    before = [child for child in psutil.Process(site.server.process.pid).children(recursive=True) if runs(child)]
    assert len(before) == 2
    with Clients(
        4, lambda client: client.post(site.server.url + "/score", json={"do": "sleep", "seconds": 0.01})
    ) as load:
        site.server.wait_for(lambda: load.outcomes["200"] > 20)
        replaced = put(site, "score", {"entry_script": str(site.folder / "next.py"), "settings": {"workers": 1}})
        assert replaced.status_code == 200, replaced.text
        assert http.post(site.server.url + "/score", content="x").json() == "next"
        done = load.outcomes["200"]
        site.server.wait_for(lambda: load.outcomes["200"] > done + 20)
    assert set(load.outcomes) == {"200"}, load.outcomes
    assert psutil.wait_procs(before, timeout=5)[1] == []
    kept = json.loads(site.file.read_text())["deployments"]["score"]
    assert kept == {"entry_script": str(site.folder / "next.py"), "settings": {"workers": 1}}


def runs(process: psutil.Process) -> bool:
    return "runner/start.py" in " ".join(process.cmdline())


def test_a_script_that_cannot_be_hosted_never_gets_a_request(site: ScriptSite) -> None:
    assert site.ask("score", json={"data": [[1, 2, 3]]}).json() == [321.0]
    (site.folder / "broken.py").write_text("def init(): 1/0\ndef run(data): pass")
    reply = put(site, "score", {"entry_script": str(site.folder / "broken.py")})
    assert (reply.status_code, reply.json()["code"]) == (422, "deployment_failed")
    assert "cannot be hosted: it raised ZeroDivisionError" in reply.json()["message"]
    assert site.ask("score", json={"data": [[1, 2, 3]]}).json() == [321.0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"entry_script": "/no/such.py"}, "The entry script /no/such.py does not exist"),
        ({"entry_script": "{script}", "model": "x"}, 'expected either "model", a folder, or "name"'),
        ({"model": "x", "model_dir": "y"}, '"model_dir" goes with "entry_script", and there is none'),
        ({"entry_script": "{script}", "settings": {"precision": "bf16"}}, "'precision' means nothing for a script"),
        ({"entry_script": "{script}", "settings": {"workers": 0}}, "'workers' is 0; expected a whole number from 1"),
        ({"model": "x", "settings": {"workers": 2}}, "'workers' means nothing for a model"),
    ],
)
def test_a_change_that_is_not_possible_says_why(site: ScriptSite, content: dict[str, Any], words: str) -> None:
    text = json.dumps(content).replace("{script}", str(site.folder / "headers.py"))
    reply = put(site, "other", json.loads(text))
    assert (reply.status_code, reply.json()["code"]) == (422, "deployment_invalid")
    assert words in reply.json()["message"]


def test_a_script_is_no_shadow(site: ScriptSite) -> None:
    reply = admin(site, "PUT", "/traffic", {"traffic": {"fridge": 100}, "mirror": {"score": 100}})
    assert (reply.status_code, reply.json()["code"]) == (422, "deployment_invalid")
    assert "is a script, and only models get copies" in reply.json()["message"]


def test_requests_to_a_script_reach_no_shadow(site: ScriptSite) -> None:
    assert admin(site, "PUT", "/traffic", {"mirror": {"fridge": 100}}).status_code == 200
    assert http.post(site.server.url + "/score", content=FINE).status_code == 400
    assert site.ask("score", json={"data": [[1, 2, 3]]}).json() == [321.0]
    assert site.server.metric("sightglass_mirrored_images_total") == 0
