"""The API page describes every body, its examples work, and nothing that it allows makes the server fail."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from server.protocol_catalog import PROTOCOLS
from tests.support import http
from tests.support.servers.protocol_site import NAMED, TEXT, ProtocolSite

KEY = {"authorization": "Bearer of-all"}
CHECKS = (
    "not_a_server_error",
    "content_type_conformance",
    "response_schema_conformance",
    "status_code_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
# places in bodies that may hold an image, which no generator of texts would come upon
IMAGES = (
    "image",
    "input_data[*]",
    "input_data.data[*]",
    "instances[*]",
    "inputs[*].data[*]",
    "dataframe_records[*].image",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProtocolSite]:
    folder = tmp_path_factory.mktemp("openapi")
    keys = folder / "keys"
    keys.write_text("of-all\n")
    with ProtocolSite(folder, "--keys-file", keys, "--admin-keys-file", keys) as running:
        yield running


@pytest.fixture(scope="module")
def description(site: ProtocolSite) -> Mapping[str, Any]:
    described: Mapping[str, Any] = site.get("/openapi.json").json()
    return described


@pytest.fixture(scope="module")
def operations(description: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the page says of each operation, by its method and path."""
    paths = description["paths"]
    return {f"{method.upper()} {path}": said for path, methods in paths.items() for method, said in methods.items()}


def test_every_parameter_and_every_body_is_described(
    description: Mapping[str, Any], operations: Mapping[str, Any]
) -> None:
    components = description["components"]["schemas"]
    assert {f"POST {path}" for protocol in PROTOCOLS for path in protocol.paths} < set(operations)
    for name, said in operations.items():
        described = {each["name"] for each in said.get("parameters", ()) if each["in"] == "path"}
        assert described == {part.partition("}")[0] for part in name.split("{")[1:]}, name
        if name.startswith(("POST", "PUT")):
            schema = said["requestBody"]["content"]["application/json"]["schema"]
            assert said["requestBody"]["required"] or name == "POST /v2/repository/index"
            forms = [form["$ref"].rpartition("/")[2] for form in schema.get("anyOf", [schema])]
            assert all(components[form]["properties"] for form in forms), name
        assert "422" not in said["responses"], "of the web framework, whose errors nobody gets"


def test_operations_have_names_that_stay(operations: Mapping[str, Any]) -> None:
    """Generated clients have a function of each name, which users call."""
    assert {name: said["operationId"] for name, said in operations.items()} == {
        "POST /score": "score",
        "GET /score": "get_score",
        "GET /swagger.json": "get_swagger",
        "POST /invocations": "invocations",
        "GET /ping": "ping",
        "GET /version": "version",
        "POST /v1/models/{model}:predict": "predict",
        "POST /v1/models/{model}:explain": "explain",
        "GET /v1/models": "list_models",
        "GET /v1/models/{model}": "model_is_ready",
        "POST /v2/models/{model}/infer": "infer",
        "POST /v2/models/{model}/versions/{version}/infer": "infer_version",
        "GET /v2": "server_metadata",
        "GET /v2/health/live": "server_live",
        "GET /v2/health/ready": "server_ready",
        "GET /v2/models/stats": "statistics",
        "GET /v2/models/{model}": "model_metadata",
        "GET /v2/models/{model}/ready": "model_ready",
        "GET /v2/models/{model}/config": "model_configuration",
        "GET /v2/models/{model}/stats": "model_statistics",
        "POST /v2/repository/index": "repository_index",
        "GET /": "healthy",
        "GET /health/live": "live",
        "GET /health/ready": "ready",
        "GET /metrics": "metrics",
        "GET /deployments": "get_deployments",
        "PUT /deployments/{name}": "put_deployment",
        "DELETE /deployments/{name}": "delete_deployment",
        "PUT /traffic": "put_traffic",
    }


def schemas_in(part: Any) -> Iterator[Mapping[str, Any]]:
    """Every schema within a part of a description."""
    if isinstance(part, list):
        for each in part:
            yield from schemas_in(each)
    if isinstance(part, dict):
        if part.keys() & {"type", "anyOf", "$ref"}:
            yield part
        for key, value in part.items():
            if key not in ("examples", "example"):
                yield from schemas_in(value)


def test_bodies_and_replies_have_names_and_say_what_they_hold(
    description: Mapping[str, Any], operations: Mapping[str, Any]
) -> None:
    for name, said in operations.items():
        for status, response in said["responses"].items():
            for media_type, content in response["content"].items():
                schema = content["schema"]
                assert schema, (name, status)
                if media_type == "application/json" and name != "GET /swagger.json":
                    assert "$ref" in schema.get("items", schema) or "anyOf" in schema, (name, status)
    for schema in schemas_in([description["paths"], description["components"]["schemas"]]):
        kind = schema.get("type")
        assert kind != "array" or "items" in schema, schema
        # an object of neither is one without any keys to some generators
        assert kind != "object" or schema.keys() & {"properties", "additionalProperties", "patternProperties"}, schema
        assert kind != "object" or schema.get("properties") or schema.get("additionalProperties"), schema


def test_replies_are_as_they_are_described(site: ProtocolSite, description: Mapping[str, Any]) -> None:
    """Also where the description is stricter than what generated clients notice."""
    components = {"components": {"schemas": description["components"]["schemas"]}}

    def check(schema: Mapping[str, Any], content: Any) -> None:
        jsonschema_rs.validate({**schema, **components}, content)

    def described(path: str, method: str = "get", status: str = "200") -> Any:
        return description["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]

    for path in description["paths"]:
        if "get" in description["paths"][path] and path not in ("/", "/metrics", "/ping", "/version", "/score"):
            reply = http.get(site.server.url + path.replace("{model}", "fridge"), headers=KEY)
            assert reply.status_code == 200, path
            check(described(path), reply.json())
    cell = {"image_base64": TEXT, "model_explainability": True, "xai_parameters": {"xai_algorithm": "gradcam"}}
    whole = {"xai_algorithm": "gradcam", "attributions": True, "top_k": 2, "quality": ["deletion"]}
    bodies: list[tuple[str, Any]] = [
        ("/score", {"input_data": [TEXT, cell, cell | {"xai_parameters": whole}]}),
        ("/score", {"image": TEXT}),
        ("/invocations", {"instances": [TEXT]}),
        ("/v1/models/{model}:predict", {"instances": [TEXT]}),
        ("/v1/models/{model}:explain", {"instances": [TEXT]}),
        (
            "/v2/models/{model}/infer",
            {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [TEXT]}]},
        ),
        ("/v2/repository/index", {}),
    ]
    for path, body in bodies:
        for name in site.names if "{model}" in path and "explain" not in path else ("fridge",):
            reply = site.post(path.replace("{model}", name), body, **KEY)
            assert reply.status_code == 200, (path, reply.text)
            check(described(path, "post"), reply.json())
        if path != "/v2/repository/index":
            for refused in (b"[", {"input_data": ["no image"], "instances": ["no image"]}):
                reply = site.post(path.replace("{model}", "fridge"), refused, **KEY)
                assert reply.status_code >= 400
                check(described(path, "post", "default"), reply.json())


def test_operations_name_the_key_that_they_need(operations: Mapping[str, Any]) -> None:
    needs = {name: [key for each in said.get("security", ()) for key in each] for name, said in operations.items()}
    scoring = {f"POST {path}" for protocol in PROTOCOLS for path in protocol.paths} | {"GET /score"}
    assert {name for name, keys in needs.items() if keys == ["scoring_key"]} == scoring
    administration = {name for name in operations if "/deployments" in name or "/traffic" in name}
    assert {name for name, keys in needs.items() if keys == ["admin_key"]} == administration
    assert all(not keys for name, keys in needs.items() if name not in scoring | administration)


def test_the_examples_of_the_page_are_scored(site: ProtocolSite, operations: Mapping[str, Any]) -> None:
    content = operations["POST /score"]["requestBody"]["content"]["application/json"]
    replies = [site.post("/score", each["value"], **KEY) for each in content["examples"].values()]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[0].json()[0]["probs"] == replies[1].json()["probs"]


def test_a_path_with_parameters_tells_its_methods(site: ProtocolSite) -> None:
    for path, allowed in [
        ("/deployments/x", "DELETE, OPTIONS, PUT"),
        ("/v1/models/x", "GET, HEAD, OPTIONS"),
        ("/v2/models/x/infer", "OPTIONS, POST"),
    ]:
        reply = http.request("PATCH", site.server.url + path)
        assert (reply.status_code, reply.headers["allow"]) == (405, allowed)


def test_no_request_that_the_page_allows_makes_the_server_fail(
    site: ProtocolSite, operations: Mapping[str, Any], tmp_path: Path
) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(_config(site))
    report = tmp_path / "report.json"
    # fmt: off
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "--config-file", config,
            "run", site.server.url + "/openapi.json", "--header", f"Authorization: {KEY['authorization']}",
            "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-examples", "5",
            "--seed", "1", "--generation-database", "none", "--report", "json", "--report-json-path", report,
            "--no-color", "--request-timeout", "60",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )
    # fmt: on
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(report.read_text())
    assert results["complete"]
    counts = {name: results["operations"][name] for name in ("total", "selected", "tested", "errored", "skipped")}
    assert counts == {"total": len(operations), "selected": len(operations), "tested": len(operations)} | dict.fromkeys(
        ("errored", "skipped"), 0
    )
    assert results["test_cases"]["generated"] > 500
    # and not all of it was refused
    for path in (path for protocol in PROTOCOLS for path in protocol.paths):
        assert site.server.metric("sightglass_requests_total", route=path, code="200") >= 1, path
    assert site.server.metric("sightglass_requests_total", route="/traffic", code="200") >= 1


def _config(site: ProtocolSite) -> str:
    """Have most requests go to models that there are, half of the images be some, and most tensors hold one."""
    named = ["path.model", f"header.{NAMED}"]
    lines = ["[dictionaries.ones]\nvalues = [1]"]
    lines += [f"[dictionaries.models]\nvalues = {json.dumps(site.names)}"]
    lines += [f"[dictionaries.pictures]\nvalues = {json.dumps([TEXT])}", '[parameters]\n"path.version" = "1"']
    lines += ['"body.inputs[*].shape[*]" = { dictionary = "ones", probability = 0.8 }']
    lines += [f'"{name}" = {{ dictionary = "models", probability = 0.8 }}' for name in named]
    lines += [f'"body.{place}" = {{ dictionary = "pictures", probability = 0.5 }}' for place in IMAGES]
    return "\n".join(lines) + "\n"
