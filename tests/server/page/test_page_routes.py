"""What the server gives a browser below /ui, over HTTP; without a key nothing that needs one."""

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.proxies.refusals import SCORING_KEY
from explain.rendering.colours import COLOUR_MAPS, colour_table
from tests.support import http
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer, run_server
from tests.support.servers.page_site import LABELS, SAMPLES, PageSite

KEY = {"authorization": f"Bearer {SCORING_KEY}"}


def get(server: LiveServer, path: str, **headers: str) -> Any:
    return http.get(server.url + path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture(scope="module")
def server(page_site: PageSite) -> LiveServer:
    return page_site.server


@pytest.fixture(scope="module")
def catalog(server: LiveServer) -> Any:
    return get(server, "/ui/deployments").json()


def described(catalog: Any, name: str) -> Any:
    (found,) = [each for each in catalog["deployments"] if each["name"] == name]
    return found


def test_the_page_names_files_that_may_be_kept_for_ever(server: LiveServer) -> None:
    page = get(server, "/ui", accept_encoding="identity")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    edition = get(server, "/ui/state").json()["page"]
    paths = re.findall(r'(?:src|href)="(ui/[^"]+)"', page.text)
    types = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
    assert {path.rpartition(".")[2] for path in paths} == set(types)
    for path in paths:
        assert path.startswith(f"ui/{edition}/")
        file = get(server, f"/{path}", accept_encoding="gzip")
        assert file.headers["content-type"] == types[path.rpartition(".")[2]]
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
    tag = page.headers["etag"]
    assert get(server, "/ui", accept_encoding="identity", if_none_match=tag).status_code == 304


def test_everything_is_served_under_a_strict_policy(server: LiveServer) -> None:
    edition = get(server, "/ui/state").json()["page"]
    for path in ("", "/state", "/deployments", "/samples/first.jpg", f"/{edition}/main.js", f"/{edition}/icon.svg"):
        headers = get(server, f"/ui{path}").headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["img-src"] == "'self' blob: data:"
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert headers["permissions-policy"] == "camera=(self)"


def test_head_says_what_get_would(server: LiveServer) -> None:
    edition = get(server, "/ui/state").json()["page"]
    for path in ("/ui", f"/ui/{edition}/main.js", "/ui/samples/first.jpg"):
        head = http.request("HEAD", server.url + path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == get(server, path).headers["content-length"]
    assert http.request("POST", server.url + "/ui").headers["allow"] == "GET, HEAD, OPTIONS"


def test_there_is_nothing_at_other_names(server: LiveServer) -> None:
    edition = get(server, "/ui/state").json()["page"]
    for path in (
        f"/{edition}/none.js",
        f"/{edition}/index.html",
        f"/{edition}",
        f"/{edition}/vendor/SOURCES",
        f"/{edition}/%2e%2e/assets.py",
        f"/{edition}/..%2fassets.py",
        f"/{edition}//main.js",
        f"/{'0' * 16}/main.js",
        "/main.js",
        "/samples/notes.txt",
        "/samples/.hidden.jpg",
        "/samples/drawing.svg",
        "/samples/folder.jpg",
        "/samples/%2e%2e%2fdeployments.json",
        "/samples/",
    ):
        assert get(server, f"/ui{path}").status_code == 404, path
    assert get(server, "/").text == "Healthy", "probes ask it"


def test_a_slash_too_many_leads_to_the_page_below_any_prefix(server: LiveServer) -> None:
    for prefix in ("", "/some/prefix"):
        reply = get(server, "/ui/", x_forwarded_prefix=prefix)
        assert (reply.status_code, reply.headers["location"]) == (307, "../ui")
    references = re.findall(r'(?:src|href)="([^"]+)"', get(server, "/ui").text)
    assert [each for each in references if each.startswith("/") or "//" in each] == []


def test_the_state_tells_how_every_deployment_does(server: LiveServer) -> None:
    reply = get(server, "/ui/state")
    assert reply.headers["cache-control"] == "no-store"
    state = reply.json()
    assert (state["ready"], state["reason"], state["draining"], state["keys"], state["named"]) == (
        True,
        "",
        False,
        False,
        True,
    )
    assert get(server, "/").headers["x-ms-server-version"] == f"sightglass/{state['version']}"
    deployments = {each["name"]: each for each in state["deployments"]}
    assert {name: (each["kind"], each["traffic"]) for name, each in deployments.items()} == {
        "labels": ("model", 100),
        "boxes": ("model", 0),
        "masks": ("model", 0),
        "script": ("script", 0),
        "guess": ("script", 0),
    }
    assert all(each["ready"] and not each["reason"] and each["version"] == 1 for each in deployments.values())
    assert len({each["facts"] for each in deployments.values()}) == len(deployments)
    server.score([encoded(painted(1, 90, 70), "JPEG")])
    (labels, *_) = get(server, "/ui/state").json()["deployments"]
    assert labels["queue_ms"] >= 0 and labels["facts"] == deployments["labels"]["facts"]


def test_the_catalog_says_what_a_classifier_can_do(catalog: Any) -> None:
    labels = described(catalog, "labels")
    assert (labels["task"], labels["architecture"], labels["sizes"]) == (
        "multiclass",
        "resnet18",
        {"valid_resize_size": 80, "valid_crop_size": 64},
    )
    assert labels["labels"] == list(LABELS)
    assert (labels["device"], labels["runtime"], labels["precision"], labels["exif"]) == ("cpu", "eager", "fp32", False)
    assert (labels["score_threshold"], labels["inference_parameters"]) == (None, False)
    algorithms = {each["name"]: each for each in labels["algorithms"]}
    assert [name for name, each in algorithms.items() if each["default"]] == ["xrai"]
    assert algorithms["gradcam"]["passes"] == 2 < algorithms["xrai"]["passes"]
    assert algorithms["gradcam"]["summary"] == "Grad-CAM: where the last maps of the network speak for a target."


def test_the_catalog_says_what_detectors_and_scripts_can_do(catalog: Any) -> None:
    boxes, masks, script = (described(catalog, name) for name in ("boxes", "masks", "script"))
    assert (boxes["task"], masks["task"], script["task"]) == ("detection", "segmentation", "")
    assert (boxes["score_threshold"], boxes["inference_parameters"]) == (0.1, True)
    assert script["algorithms"] == script["labels"] == []
    assert (script["kind"], script["inference_parameters"]) == ("script", False)


def test_the_catalog_holds_limits_samples_and_the_colours_of_maps(catalog: Any) -> None:
    assert catalog["limits"]["max_image_pixels"] == 100_000_000
    assert catalog["samples"] == list(SAMPLES)
    maps = {each["name"]: each for each in catalog["colour_maps"]}
    assert set(maps) == set(COLOUR_MAPS)
    assert maps["coolwarm"]["diverging"] and maps["coolwarm"]["meaning"] == "blue, white, red"
    for name, each in maps.items():
        lowest, highest = (f"#{bytes(colour_table(name)[place]).hex()}" for place in (0, 255))
        assert (each["stops"][0], each["stops"][-1], len(each["stops"])) == (lowest, highest, 17)


def test_the_catalog_is_compressed_for_those_who_take_that(server: LiveServer) -> None:
    replies = [get(server, "/ui/deployments", accept_encoding=coding) for coding in ("gzip", "identity")]
    assert [reply.headers.get("content-encoding") for reply in replies] == ["gzip", None]
    assert all(reply.headers["vary"] == "accept-encoding" for reply in replies)
    sizes = [int(reply.headers["content-length"]) for reply in replies]
    assert 2 * sizes[0] < sizes[1]
    assert replies[0].json() == replies[1].json()


def test_samples_are_the_files_themselves(page_site: PageSite) -> None:
    for name, media_type in (("first.jpg", "image/jpeg"), ("second.png", "image/png")):
        reply = get(page_site.server, f"/ui/samples/{name}")
        assert (reply.headers["content-type"], reply.headers["cache-control"]) == (media_type, "no-store")
        assert reply.content == (page_site.samples / name).read_bytes()


def test_a_keyed_server_shows_the_page_and_nothing_that_needs_the_key(keyed_page: LiveServer) -> None:
    state = get(keyed_page, "/ui/state")
    assert state.json()["keys"] is True
    edition = state.json()["page"]
    for path in ("/ui", f"/ui/{edition}/main.js"):
        assert get(keyed_page, path).status_code == 200
    for path in ("/ui/deployments", "/ui/samples/first.jpg", "/ui/samples/none.jpg"):
        for headers in ({}, {"authorization": "Bearer wrong"}):
            refused = get(keyed_page, path, **headers)
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
            assert not re.search(r"first|second|\.jpg", refused.text)
        assert get(keyed_page, path, **KEY).status_code == (404 if "none" in path else 200)
    assert SCORING_KEY not in get(keyed_page, "/ui").text + state.text


def test_the_page_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("def init(): pass\ndef run(data): return {}\n")
    with LiveServer("--entry-script", tmp_path / "score.py", "--page", "off") as server:
        for path in ("/ui", "/ui/", "/ui/state", "/ui/deployments", "/ui/samples/first.jpg"):
            assert get(server, path).status_code == 404, path
        assert get(server, "/docs").status_code == 200


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "cannot be read: No such file or directory."),
        (lambda folder: folder.write_text(""), "cannot be read: Not a directory."),
        (lambda folder: folder.mkdir(), "holds no image; expected files named .bmp, .gif, "),
    ],
    ids=["missing", "a file", "empty"],
)
def test_a_folder_without_samples_is_an_error_at_the_start(make: Any, said: str, tmp_path: Path) -> None:
    make(tmp_path / "samples")
    done = run_server("--model", tmp_path, "--page-samples", tmp_path / "samples")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: The folder --page-samples {tmp_path / 'samples'} {said}")
