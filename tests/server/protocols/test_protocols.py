import base64
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.discovery import constants
from server import protocols
from server.errors import ServiceError
from server.inference.scoring import ImageInput
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure, Outcome
from server.protocol import Protocol, ProtocolRequest, ScoreResult
from tests.support.contract import contract

PROTOCOLS: dict[str, Protocol] = dict(constants(protocols, "PROTOCOL"))
V1, V2, FORM = PROTOCOLS["azure_v1"], PROTOCOLS["azure_v2"], PROTOCOLS["form"]
IMAGE = b"the bytes of a picture"
TEXT = base64.encodebytes(IMAGE).decode()
PREDICTION = b'{"probs": [0.25, 0.75], "labels": ["can", "carton"]}'

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(TEXT),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["input_data", "columns", "data", "index", "image", "image_base64", "x"]), inner
        )
    ),
    max_leaves=12,
)


def read(protocol: Protocol, content: object) -> list[object]:
    images = protocol.read(ProtocolRequest(content)).images
    return [image.data if isinstance(image, ImageInput) else image for image in images]


def written(protocol: Protocol, outcomes: Sequence[Outcome], request_id: str = "id") -> bytes:
    return protocol.write(ScoreResult(outcomes, request_id, ModelFacts())).body


def images_of(data: object) -> list[object]:
    return read(V2, {"input_data": data})


@contract(
    "Requests", "Version 2: `input_data` with `columns`, `index` and `data` as texts or rows; other columns are ignored"
)
@pytest.mark.parametrize(
    "table",
    [
        {"columns": ["image"], "data": [TEXT, TEXT]},
        {"columns": ["image"], "index": [0, 1], "data": [TEXT, TEXT]},
        {"columns": ["image"], "data": [[TEXT], [TEXT]]},
        {"columns": ["id", "image"], "data": [["a", TEXT], ["b", TEXT]]},
        {"columns": ["image"], "data": [json.dumps({"image_base64": TEXT}), json.dumps({"image_base64": TEXT})]},
        {"columns": ["image"], "data": [json.dumps({"image_base64": TEXT, "model_explainability": False}), TEXT]},
        {"columns": ["image"], "data": [{"image_base64": TEXT}, [{"image_base64": TEXT}]]},
        {"data": [TEXT, TEXT]},
        [TEXT, TEXT],
    ],
    ids=["texts", "index", "rows", "more columns", "json cells", "mixed", "objects", "no columns", "a bare list"],
)
def test_version_2_reads_every_form(table: object) -> None:
    assert images_of(table) == [IMAGE, IMAGE]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("text", "`input_data` is a str"),
        ({"columns": ["img"], "data": [TEXT]}, r"columns \['img'\]"),
        ({"columns": "image", "data": [TEXT]}, "columns 'image'"),
        ({"columns": ["image"]}, "`data` of `input_data` is a NoneType"),
        ({"columns": ["image"], "data": []}, "an empty list"),
        ({"columns": ["id", "image"], "data": [["a"]]}, "Row 0 of `data` has 1 values"),
    ],
    ids=["text", "other column", "columns no list", "no data", "empty data", "short row"],
)
def test_version_2_says_what_it_expected(table: object, why: str) -> None:
    with pytest.raises(ServiceError, match=why) as caught:
        images_of(table)
    assert caught.value.code == "input_invalid"
    assert '{"columns": ["image"]' in caught.value.message


def test_one_bad_image_leaves_the_others_alone() -> None:
    first, second, third = images_of([TEXT, "{broken", {"other": 1}])
    assert first == IMAGE
    assert isinstance(second, Failure)
    assert "JSON object" in second.message
    assert isinstance(third, Failure)
    assert third.code == "base64_invalid"


@contract("Replies", "The reply of version 2 is a JSON array")
def test_version_2_writes_an_array_in_order() -> None:
    reply = json.loads(written(V2, [PREDICTION, Failure("image_format", "no picture"), PREDICTION]))
    assert reply[0] == reply[2] == json.loads(PREDICTION)
    assert reply[1] == {"error": {"code": "image_format", "message": "no picture"}}
    assert written(V2, []) == b"[]"


def test_version_1_reads_raw_bytes_and_its_json_form() -> None:
    assert read(V1, IMAGE) == [IMAGE]
    assert read(V1, {"image": TEXT}) == [IMAGE]


@contract(
    "Replies", "The reply of version 1 has `filename`, and null for `visualizations` and `attributions` of classifiers"
)
def test_version_1_writes_one_object_and_a_line_feed() -> None:
    line = written(V1, [PREDICTION], "request-7")
    assert line.endswith(b"}\n")
    assert json.loads(line) == {
        "filename": "request-7",
        **json.loads(PREDICTION),
        "visualizations": None,
        "attributions": None,
    }
    assert written(V1, []) == b""


@contract("Replies", "Detectors have no keys of explanations")
def test_only_classification_has_the_keys_of_explanations() -> None:
    assert json.loads(written(V1, [b'{"boxes": []}'])) == {"filename": "id", "boxes": []}


def test_a_form_needs_a_file() -> None:
    assert read(FORM, [IMAGE, b""]) == [IMAGE, b""]
    with pytest.raises(ServiceError, match="no file"):
        read(FORM, [])


def test_each_content_is_meant_for_one_protocol() -> None:
    contents = [IMAGE, {"image": TEXT}, {"input_data": [TEXT]}, [IMAGE]]
    hosted = {name: protocol for name, protocol in PROTOCOLS.items() if "/score" in protocol.paths}
    accepted = [[name for name, protocol in hosted.items() if protocol.matches(content)] for content in contents]
    assert accepted == [["azure_v1"], ["azure_v1"], ["azure_v2"], ["form"]]


@given(JSON_VALUES)
def test_any_json_is_read_or_refused_and_nothing_else(value: object) -> None:
    for content in (value, {"input_data": value}, {"image": value}):
        for protocol in (V1, V2, FORM):
            if not isinstance(content, list) and protocol.matches(content):
                try:
                    images = read(protocol, content)
                except ServiceError as error:
                    assert 400 <= error.status < 500
                else:
                    assert all(isinstance(image, (bytes, Failure)) for image in images)
