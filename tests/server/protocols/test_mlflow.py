"""MLflow's scoring protocol with its own client, and what that client does not send."""

import base64
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.images import encoded, painted
from tests.support.repository import ROOT
from tests.support.servers.protocol_site import JPEG, MOST_BYTES, NAMED, TEXT, ProtocolSite, assert_same_scores

INVOKE = "/invocations"
JSON, CSV, PLAIN = "application/json", "text/csv", "text/plain; charset=utf-8"


@pytest.fixture(scope="module")
def replies(site: ProtocolSite, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What MLflow's client makes of the server."""
    file = tmp_path_factory.mktemp("mlflow") / "picture.jpg"
    file.write_bytes(JPEG)
    command = (sys.executable, "-m", "tests.support.servers.mlflow_client", *site.address.split(":"), str(file))
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_mlflows_client_finds_a_server_of_its_kind(replies: dict[str, Any]) -> None:
    assert replies["ping"] is None
    assert replies["version"] == "3.1.0"


def test_mlflows_client_scores_tables_and_arrays(site: ProtocolSite, replies: dict[str, Any]) -> None:
    assert_same_scores(replies["table"], site.post("/score", {"input_data": [TEXT] * 2}).json())
    assert replies["table with more"] == replies["an array"] == replies["a list"] == [site.prediction()]


def test_mlflows_client_asks_why_by_params(replies: dict[str, Any]) -> None:
    (row,) = replies["params"]
    assert row["explanations"][0]["xai_algorithm"] == "gradcam"


def test_mlflows_client_understands_errors(replies: dict[str, Any]) -> None:
    assert "error code 400" in replies["another column"]
    assert "Model is missing inputs ['image']: the table has img." in replies["another column"]
    assert "error code 422" in replies["no picture"]
    assert "INVALID_PARAMETER_VALUE" in replies["no picture"]


def test_its_probes(site: ProtocolSite) -> None:
    for path in ("/ping", "/health"):
        reply = site.get(path)
        assert (reply.status_code, reply.text, reply.headers["content-type"]) == (200, "\n", PLAIN)


def test_a_large_image_fits_into_a_csv(site: ProtocolSite) -> None:
    large = encoded(painted(1, 250, 250), "PNG")
    text = base64.b64encode(large).decode()
    assert len(text) > 2**17, "which is where Python's reader of CSV gives up by itself"
    reply = site.post(INVOKE, f"image\n{text}\n".encode(), CSV)
    assert reply.json()["predictions"] == [site.prediction(large)]


def test_the_signature_says_what_the_columns_are(site: ProtocolSite) -> None:
    expected = [site.prediction(name="shelf")]

    def invoke(body: Any, media_type: str = JSON) -> Any:
        return site.post(INVOKE, body, media_type, **{NAMED: "shelf"}).json()

    row = {"picture": TEXT, "shelf": "top"}
    body: Any
    for body in (
        {"dataframe_split": {"columns": ["shelf", "more", "picture"], "data": [["top", 1, TEXT]]}},
        {"dataframe_records": [row]},
        {"instances": [row | {"remark": "none"}]},
        {"inputs": {"picture": [TEXT], "shelf": ["top"]}},
        {"inputs": {"picture": TEXT, "shelf": "top"}},
    ):
        assert invoke(body) == {"predictions": expected}
    assert invoke(f"shelf,picture\ntop,{TEXT}\n".encode(), CSV) == {"predictions": expected}
    signature = "picture: binary (required), shelf: string (required), remark: string (optional)"
    for body, missing in (
        ({"dataframe_split": {"columns": ["image"], "data": [[TEXT]]}}, "['picture', 'shelf']: the table has image"),
        ({"dataframe_records": [row, {"picture": TEXT}]}, "['shelf']: row 1 has picture"),
        ({"instances": [{"shelf": "top"}]}, "['picture']: row 0 has shelf"),
        ({"instances": [TEXT]}, "['shelf']: a list of values has picture"),
        ({"inputs": {"shelf": ["top"]}}, "['picture']: `inputs` has shelf"),
    ):
        reply = site.post(INVOKE, body, **{NAMED: "shelf"})
        assert (reply.status_code, reply.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert f"Model is missing inputs {missing}. The signature is {signature}." in reply.json()["message"]


def table(*rows: Any, columns: Any = ("image",)) -> dict[str, Any]:
    return {"dataframe_split": {"columns": columns, "data": list(rows)}}


BAD, INVALID = "BAD_REQUEST", "INVALID_PARAMETER_VALUE"
REFUSED: dict[str, tuple[Any, str | None, int, str, str]] = {
    "no body": (b"", JSON, 400, BAD, "empty"),
    "half a json": (b'{"inputs"', JSON, 400, BAD, "decoded as JSON"),
    "a list": ([TEXT], JSON, 400, BAD, "is a list"),
    "another form": ({"data": [TEXT]}, JSON, 400, BAD, "exactly one of the fields dataframe_split, "),
    "two forms": ({"inputs": [TEXT], "instances": [TEXT]}, JSON, 400, BAD, "received inputs, instances"),
    "no rows": (table(), JSON, 400, BAD, "`dataframe_split` has no rows"),
    "no records": ({"dataframe_records": []}, JSON, 400, BAD, "`dataframe_records` has no rows"),
    "no inputs": ({"inputs": []}, JSON, 400, BAD, "`inputs` has no rows"),
    "no columns": ({"dataframe_split": {"data": [[TEXT]]}}, JSON, 400, BAD, "no `columns`"),
    "a split list": ({"dataframe_split": [TEXT]}, JSON, 400, BAD, "no `columns` or no `data`"),
    "one record": ({"dataframe_records": {"image": TEXT}}, JSON, 400, BAD, "not a list of objects"),
    "a text": ({"inputs": TEXT}, JSON, 400, BAD, "a str, not a list"),
    "a short row": (table([TEXT], columns=["image", "x"]), JSON, 400, BAD, "Row 0 has 1 values for 2 columns"),
    "columns that are lists": (table([TEXT], columns=[["image"]]), JSON, 400, INVALID, "has ['image']"),
    "another column": (table([TEXT], columns=["img"]), JSON, 400, INVALID, "inputs ['image']"),
    "another record": ({"dataframe_records": [{"image": TEXT}, {"img": TEXT}]}, JSON, 400, INVALID, "row 1 has img"),
    "params in a list": ({"inputs": [TEXT], "params": [1]}, JSON, 400, BAD, "`params` is a list"),
    "a misspelling": ({"inputs": [TEXT], "params": {"xai_parameters": {"steps": 9}}}, JSON, 422, INVALID, "'steps'"),
    "a number": (table([7]), JSON, 422, INVALID, "The picture is a int"),
    "null": (table([None]), JSON, 422, INVALID, "The picture is a NoneType"),
    "no base64": (table([TEXT], ["%%%"]), JSON, 422, INVALID, "1 of 2 pictures cannot be scored. Position 1"),
    "no picture": (table([TEXT[:400]]), JSON, 422, INVALID, "pictures cannot be scored"),
    "too many": (table(*[[TEXT]] * 7), JSON, 413, BAD, "up to 6"),
    "large": (b" " * (MOST_BYTES + 1), JSON, 413, BAD, f"up to {MOST_BYTES}"),
    "another type": (JPEG, "image/jpeg", 415, BAD, "text/csv or application/json"),
    "no type": (b"{}", None, 415, BAD, "text/csv or application/json"),
    "parquet": (b"PAR1", "application/vnd.apache.parquet", 415, BAD, "text/csv or application/json"),
    "an empty csv": (b"\n\n", CSV, 400, BAD, "no lines"),
    "a csv of names": (b"image\n", CSV, 400, BAD, "no rows"),
    "a csv of another column": (b"img\nabc\n", CSV, 400, INVALID, "inputs ['image']"),
    "a csv with a long line": (b"image\nabc,d\n", CSV, 400, BAD, "Row 0 has 2 values for 1 columns"),
    "a csv with a short line": (b"image,x\nabc\n", CSV, 400, BAD, "Row 0 has 1 values for 2 columns"),
    "a csv that is not utf-8": (b"\xff\xfeimage", CSV, 400, BAD, "can't decode byte 0xff"),
    "a csv that does not end": (b'image\n"abc', CSV, 400, BAD, "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_errors_come_in_the_form_of_the_protocol(site: ProtocolSite, case: str) -> None:
    body, media_type, status, code, words = REFUSED[case]
    reply = site.post(INVOKE, body, media_type)
    assert reply.status_code == status, reply.text
    assert list(reply.json()) == ["error_code", "message"]
    assert reply.json()["error_code"] == code
    assert words in reply.json()["message"]
    assert site.post(INVOKE, table([TEXT])).json()["predictions"] == [site.prediction()], "and it goes on"


def test_other_methods_and_models(site: ProtocolSite) -> None:
    reply = site.get(INVOKE)
    assert (reply.status_code, reply.json()["error_code"]) == (405, "BAD_REQUEST")
    reply = site.get(INVOKE + "/more")
    assert (reply.status_code, reply.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    reply = site.post(INVOKE, table([TEXT]), **{NAMED: "frige"})
    assert (reply.status_code, reply.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
