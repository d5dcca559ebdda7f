"""Scripts behind POST, GET and OPTIONS /score, as the hosted service would have answered, and where we do better."""

import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import http
from tests.support.contract import contract
from tests.support.folders.user_scripts import write_scripts
from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer
from tests.support.servers.script_site import NAME, ScriptSite, script

FAILED, TOOK = "x-ms-run-function-failed", "x-ms-run-fn-exec-ms"
TEXT, JSON = {"content-type": "text/plain"}, {"content-type": "application/json"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptSite]:
    deployments = {name: script(name) for name in ("score", "headers", "raw", "parameters")}
    site = ScriptSite(tmp_path_factory.mktemp("scripts"), deployments)
    with site.server:
        site.server.wait_for(lambda: all(site.ask(name, "OPTIONS").status_code < 300 for name in deployments))
        yield site


def test_the_tutorials_request_is_scored(site: ScriptSite) -> None:
    reply = site.ask("score", json={"data": [[1, 2, 3], [4, 5, 6]]})
    assert reply.status_code == 200
    assert reply.json() == [321.0, 654.0]
    assert reply.headers["content-type"] == "application/json"
    assert (reply.headers[FAILED], reply.headers[NAME]) == ("False", "score")
    assert re.fullmatch(r"\d+\.\d{3}", reply.headers[TOOK])
    stages = [part.partition(";")[0] for part in reply.headers["server-timing"].split(", ")]
    assert stages == ["read", "queue", "run", "reply", "total"]
    request_id = f"request_id={reply.headers['x-request-id']}"
    site.server.wait_for(lambda: request_id in site.server.log())  # the line is written after the reply
    (line,) = (line for line in site.server.log().splitlines() if request_id in line)
    assert "route=/score" in line
    assert "run_ms=" in line


@pytest.mark.parametrize("encoding, compress", [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_script_gets_a_compressed_body_as_it_was(
    site: ScriptSite, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    body = json.dumps({"data": [[1, 2, 3]]}).encode()
    packed = {"content-encoding": encoding} | JSON
    assert site.ask("score", content=compress(body), headers=packed).json() == [321.0]
    seen = site.ask("headers", content=compress(body), headers=packed).json()
    assert seen["data"] == body.decode()
    names = {name.lower(): value for name, value in seen["headers"].items()}
    assert names["content-length"] == str(len(body))
    assert "content-encoding" not in names
    damaged = site.ask("score", content=compress(body)[:-4], headers=packed)
    assert (damaged.status_code, damaged.json()["code"]) == (400, "compression_invalid")


def test_head_gets_what_get_would_without_a_body(site: ScriptSite) -> None:
    for name, query in (("score", "?data=[[1,2,3]]"), ("raw", ""), ("raw", "?do=status&status=418"), ("headers", "")):
        got, head = site.ask(name, "GET", query), site.ask(name, "HEAD", query)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
        assert head.headers["content-type"] == got.headers["content-type"]


def test_a_slash_at_the_end_of_the_path_changes_nothing(site: ScriptSite) -> None:
    body = json.dumps({"data": [[1, 2, 3]]})
    reply = http.post(site.server.url + "/score/", content=body, headers={NAME: "score"} | JSON)
    assert reply.json() == [321.0]


# what azureml-inference-server-http 1.5.1 was seen to pass to run(data, request_headers) and to answer
HOSTED: list[tuple[dict[str, Any], int, Any]] = [
    ({"content": b'{"data":[1]}', "headers": JSON}, 200, '{"data":[1]}'),
    ({"content": b"", "headers": TEXT}, 200, ""),
    ({"content": "\u00e4\u20ac".encode(), "headers": TEXT}, 200, "\u00e4\u20ac"),
    ({"method": "GET", "query": "?a=%5B1%2C2%5D&b=x&b=3"}, 200, '{"a": [1, 2], "b": ["x", 3]}'),
    ({"method": "GET", "query": "?c=null&d=&e=%C3%A4"}, 200, '{"c": null, "d": "", "e": "\\u00e4"}'),
    ({"method": "GET"}, 200, "{}"),
]


@contract(
    "Scoring scripts",
    "run(data) gets the body as text, run(data, request_headers) the headers too, of a GET the query as JSON",
)
@pytest.mark.parametrize(("request_", "status", "data"), HOSTED)
def test_run_gets_what_the_hosted_service_gives_it(
    site: ScriptSite, request_: dict[str, Any], status: int, data: Any
) -> None:
    reply = site.ask("headers", **request_)
    assert reply.status_code == status
    assert reply.json()["data"] == data
    assert reply.headers[FAILED] == "False"


@contract(
    "Scoring scripts",
    "A body sent as a form, as curl does by default, reaches run() empty",
    "better",
    "it reaches it whole",
)
def test_a_body_that_curl_calls_a_form_is_not_lost(site: ScriptSite) -> None:
    reply = site.ask("headers", content=b'{"data": [1]}', headers={"content-type": "application/x-www-form-urlencoded"})
    assert reply.json()["data"] == '{"data": [1]}'


def test_headers_are_spelled_as_the_hosted_service_does(site: ScriptSite) -> None:
    twice = [(NAME, "headers"), ("x-foo-bar", "1"), ("X-FOO-BAR", "2"), ("content-type", "text/plain")]
    found = http.post(f"{site.server.url}/score", content=b"x", headers=twice).json()["headers"]
    assert {"Host", "User-Agent", "Content-Length", "Content-Type"} <= found.keys()
    assert found["X-Foo-Bar"] == "1,2"


@contract(
    "Routes, headers and life cycle",
    "`OPTIONS` is answered at every path, without a key",
    "better",
    "with `Allow`; at `/`, which HAProxy asks, it tells the health",
)
def test_options_needs_no_key_and_reaches_a_script_only_with_one(tmp_path: Path) -> None:
    folder, keys = write_scripts(tmp_path), tmp_path / "keys"
    keys.write_text("key")
    with LiveServer(
        "--entry-script", folder / "raw.py", "--model-dir", folder / "model", "--keys-file", keys
    ) as server:
        url = server.url + "/score"
        for headers in ({}, {"authorization": "Bearer other"}):
            reply = http.request("OPTIONS", url, headers=headers)
            assert (reply.status_code, reply.headers["allow"]) == (200, "GET, HEAD, OPTIONS, POST")
        assert http.request("OPTIONS", url, headers={"authorization": "Bearer key"}).status_code == 204
        for path in ("/", "/deployments", "/invocations", "/v2/models/raw/infer"):
            assert http.request("OPTIONS", server.url + path).status_code == 200


@contract("Scoring scripts", "OPTIONS is answered without the script")
def test_options_answers_without_the_script(site: ScriptSite) -> None:
    reply = site.ask("headers", "OPTIONS")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers[FAILED] == "False"
    assert TOOK not in reply.headers


@contract("Scoring scripts", "A body that is not UTF-8 is 400")
def test_a_body_that_is_no_text_is_refused(site: ScriptSite) -> None:
    reply = site.ask("headers", content=b"\xff\xd8\xff", headers=TEXT)
    assert (reply.status_code, reply.json()["code"]) == (400, "body_not_text")
    assert reply.json()["message"].startswith("Input cannot be decoded as UTF-8: 'utf-8' codec can't decode byte 0xff")
    assert reply.headers[FAILED] == "False"


@contract("Scoring scripts", "An error in run() is 500 without its text, `x-ms-run-function-failed: True`")
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("fail", "ValueError: a secret of the script"),
        ("leave", "SystemExit: 7"),
        ("nothing_json_has", "TypeError: run() returned something with a object, which JSON has no form for"),
        ("no_such_function", "KeyError: 'no_such_function'"),
    ],
)
def test_an_error_of_the_script_is_in_the_log_and_not_in_the_reply(site: ScriptSite, what: str, words: str) -> None:
    (before,) = {site.do("sleep", seconds=0).json()["pid"] for _ in range(3)}
    request_id = f"of-{what}"
    reply = site.ask("score", json={"do": what}, headers={"x-request-id": request_id})
    assert reply.status_code == 500
    expected = "An unexpected error occurred in scoring script. Check the logs for more info."
    assert reply.json() == {"message": expected, "code": "script_failed", "request_id": request_id}
    assert reply.headers[FAILED] == "True"
    assert TOOK not in reply.headers
    site.server.wait_for(lambda: words in site.server.log() and f"request_id={request_id}" in site.server.log())
    traceback = (
        site.server.log().rpartition("the script failed on a request")[2].partition(f"request_id={request_id}")[0]
    )
    assert "Traceback" in traceback
    assert words in traceback
    assert "runner/loop.py" not in traceback, "it begins in the script"
    assert site.do("sleep", seconds=0).json()["pid"] == before, "the process goes on with its model"


def test_what_it_prints_is_in_the_log(site: ScriptSite) -> None:
    assert site.do("say").json() == "said"
    lines = [
        "printed by run() \u00e4\u20ac",
        "an error's line",
        "written past Python \ufffd",
        "logged by run()",
        "printed by a thread",
        "init() finds ['model.json']",
    ]
    site.server.wait_for(lambda: all(line in site.server.log() for line in lines))
    assert "server.scripts.output - printed by run()" in site.server.log()


@contract(
    "Scoring scripts",
    "The script shares its process with the server",
    "better",
    "it has its own, in which `models` or `utils` are its own",
)
def test_its_modules_never_meet_ours(site: ScriptSite) -> None:
    found = site.do("imports").json()
    assert [Path(file).parent for file in found["own"]] == [site.folder] * 4
    assert found["explain"] is False, "nor does it find what it has not"
    assert str(ROOT) not in map(os.path.realpath, found["path"])


def test_it_knows_its_surroundings(site: ScriptSite) -> None:
    found = site.do("surroundings").json()
    environment = {name: value for name, value in found["env"].items() if name.startswith(("AZUREML", "AML"))}
    assert environment == {
        "AZUREML_MODEL_DIR": str(site.folder / "model"),
        "AZUREML_ENTRY_SCRIPT": str(site.folder / "score.py"),
        "AML_APP_ROOT": str(site.folder),
    }
    assert "PROMETHEUS_MULTIPROC_DIR" not in found["env"], "metrics of its own stay its own"
    assert (found["folder"], found["argv"]) == (str(site.folder), [str(site.folder / "score.py")])
    assert found["input"] == ""


@pytest.mark.parametrize("size", [0, 70_000, 50_000_000])
def test_replies_of_any_size_arrive(site: ScriptSite, size: int) -> None:
    reply = site.do("big", bytes=size)
    assert len(reply.json()) == size


def test_bodies_of_any_size_arrive_up_to_the_limit(site: ScriptSite) -> None:
    body = b"x" * 30_000_000
    assert len(site.ask("headers", content=body, headers=TEXT).json()["data"]) == len(body)
    reply = site.ask("headers", content=b"x" * (64 * 2**20 + 1), headers=TEXT)
    assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")


def test_rawhttp_get_sees_the_path_and_the_query(site: ScriptSite) -> None:
    reply = site.ask("raw", "GET")
    assert (reply.text, reply.headers["content-type"]) == ("/score?", "text/html; charset=utf-8")
    assert site.ask("raw", "OPTIONS").status_code == 204
    assert site.ask("raw", "OPTIONS").headers["access-control-allow-origin"] == "http://page"


@contract("Scoring scripts", "@rawhttp gets an AMLRequest, and an AMLResponse is sent as it is")
def test_rawhttp_takes_and_gives_bytes_and_headers(site: ScriptSite) -> None:
    body = bytes(range(256))
    reply = site.ask("raw", query="?do=backwards", content=body, headers={"content-type": "application/octet-stream"})
    assert reply.content == body[::-1]
    assert reply.headers["content-type"] == "image/x-backwards"
    assert reply.headers.get_list("x-both") == ["1", "2"]
    assert TOOK in reply.headers


@contract("Scoring scripts", "A status of 500 or more from the script counts as a failed run")
@pytest.mark.parametrize(
    ("status", "failed"), [(200, "False"), (201, "False"), (404, "False"), (500, "True"), (503, "True")]
)
def test_rawhttp_chooses_the_status(site: ScriptSite, status: int, failed: str) -> None:
    reply = site.ask("raw", query=f"?do=status&status={status}")
    assert (reply.status_code, reply.json(), reply.headers[FAILED]) == (status, {"said": "so"}, failed)


@pytest.mark.parametrize("status", [0, 100, 600, 99999])
def test_a_status_that_is_none_is_an_error_of_the_script(site: ScriptSite, status: int) -> None:
    reply = site.ask("raw", query=f"?do=status&status={status}")
    assert (reply.status_code, reply.json()["code"]) == (500, "script_failed")
    site.server.wait_for(lambda: f"The status of a response is {status}" in site.server.log())


def test_other_forms_of_responses(site: ScriptSite) -> None:
    failed = site.ask("raw", query="?do=failed")
    assert (failed.status_code, failed.headers[FAILED]) == (200, "True")
    nothing = site.ask("raw", query="?do=nothing")
    assert (nothing.json(), nothing.headers["content-type"]) == ({}, "application/json")
    assert site.ask("raw", query="?do=parts").content == b"ab"
    plain = site.ask("raw", query="?do=plain", json=[1], headers={"user-agent": "me"}).json()
    assert plain == {"agent": "me", "key": None, "json": [1]}


def test_a_form_with_a_file(site: ScriptSite) -> None:
    image = b"\xff\xd8\r\n--\r\n\r\n\xff"
    files = {"image": ("a \u00e4.jpg", image, "image/jpeg")}
    reply = site.ask("raw", query="?do=form", files=files, data={"size": "3"})
    assert reply.json() == {"name": "a \u00e4.jpg", "type": "image/jpeg", "bytes": len(image), "size": "3"}


@pytest.mark.parametrize(
    ("name", "value"), [("X-A", "b\r\nSet-Cookie: c"), ("X-A", "b\nc"), ("X A", "b"), ("", "b"), ("X-A", "\u20ac")]
)
def test_a_header_that_would_break_the_reply_is_not_sent(site: ScriptSite, name: str, value: str) -> None:
    reply = site.ask("raw", params={"do": "header", "name": name, "value": value})
    assert (reply.status_code, reply.json()["code"]) == (500, "script_failed")
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Connection", "Date", "X-Request-Id"])
def test_headers_that_are_not_the_scripts_are_left_out(site: ScriptSite, name: str) -> None:
    reply = site.ask("raw", params={"do": "header", "name": name, "value": "12345"}, headers={"x-request-id": "mine"})
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["x-request-id"] == "mine"
    assert reply.headers.get(name) != "12345"


@contract("Scoring scripts", "@input_schema: parameters from the JSON object, or their defaults")
def test_parameters_of_a_decorated_run(site: ScriptSite) -> None:
    assert site.ask("parameters", json={"data": [[1, 2], [3, 4]]}).json() == [30.0, 70.0]
    assert site.ask("parameters", json={"data": [[1, 2]], "scale": 2.0, "other": 1}).json() == [6.0]
    assert site.ask("parameters", "GET", "?data=%5B%5B1%2C2%5D%5D&scale=3.0").json() == [9.0]


@contract("Scoring scripts", "@input_schema: 415 for other content types, 400 for what does not fit")
@pytest.mark.parametrize(
    ("request_", "status", "code", "message"),
    [
        ({"content": b"{}", "headers": TEXT}, 415, "content_type", "Expects Content-Type to be application/json"),
        ({"content": b"", "headers": JSON}, 400, "body_empty", "POST body is empty. Expecting a JSON dictionary."),
        ({"content": b"[1]", "headers": JSON}, 400, "body_not_object", "POST body should be a JSON dictionary."),
        ({"content": b"{", "headers": JSON}, 400, "body_not_json", "POST body could not be decoded as JSON: Expecting"),
        ({"json": {}}, 400, "input_missing", "A value is not provided for the 'data' parameter."),
        ({"method": "GET"}, 400, "input_missing", "A value is not provided for the 'data' parameter."),
    ],
)
def test_input_that_does_not_fit_is_the_clients_fault(
    site: ScriptSite, request_: dict[str, Any], status: int, code: str, message: str
) -> None:
    reply = site.ask("parameters", **request_)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.json()["message"].startswith(message)
    assert reply.headers[FAILED] == "False"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/invocations"),
        ("POST", "/v2/models/raw/infer"),
        ("GET", "/v2/models/raw"),
        ("GET", "/v2/models/raw/ready"),
        ("POST", "/v1/models/raw:predict"),
        ("GET", "/v1/models/raw"),
    ],
)
def test_other_doors_say_that_it_is_a_script(site: ScriptSite, method: str, path: str) -> None:
    reply = http.request(method, site.server.url + path, json={} if method == "POST" else None)
    assert reply.status_code == 422
    assert "is a script. Ask it at /score" in json.dumps(reply.json())
    assert http.get(site.server.url + "/v1/models").json() == {"models": []}


def test_probes_and_metrics(site: ScriptSite) -> None:
    assert http.get(site.server.url + "/").text == "Healthy"
    assert site.server.probe("/health/ready") == 200
    before = site.server.metric("sightglass_requests_total", route="/score", code="200", deployment="headers")
    site.ask("headers", content=b"x", headers=TEXT)
    after = site.server.metric("sightglass_requests_total", route="/score", code="200", deployment="headers")
    assert after == before + 1
    assert site.server.metric("sightglass_script_workers", deployment="headers") == 1
    assert site.server.metric("sightglass_stage_seconds_count", deployment="headers", stage="run") >= 1
    assert site.server.metric("sightglass_queue_jobs", deployment="headers") == 0
