"""The example clients: what they print, return and write is what the server says, and they fail with a sentence."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from examples.clients import custom_visualization, explanations, version_1, version_2
from examples.clients.client import Client, Detection, EndpointError
from models.images.preprocess import Preprocess
from tests.support.images import encoded, painted
from tests.support.repository import ROOT
from tests.support.servers.busy_server import Busy
from tests.support.servers.protocol_site import JPEG, NAMED, ProtocolSite

KEY = "of-clients"
OTHER = encoded(painted(2, 91, 133), "PNG")
Main = Callable[[list[str]], int]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProtocolSite]:
    folder = tmp_path_factory.mktemp("clients")
    (folder / "keys").write_text(f"{KEY}\n")
    with ProtocolSite(folder, "--keys-file", folder / "keys") as running:
        yield running


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    one, other = folder / "one.jpg", folder / "other.png"
    one.write_bytes(JPEG)
    other.write_bytes(OTHER)
    return one, other


def cell(content: bytes, **parameters: Any) -> dict[str, Any]:
    given = {"image_base64": base64.b64encode(content).decode()}
    return given | ({"model_explainability": True, "xai_parameters": parameters} if parameters else {})


def rows_of(site: ProtocolSite, *cells: Any, name: str = "fridge") -> list[dict[str, Any]]:
    body = {"input_data": {"columns": ["image"], "data": cells}}
    reply = site.post("/score", body, authorization=f"Bearer {KEY}", **{NAMED: name})
    assert reply.status_code == 200, reply.text[:500]
    return list(reply.json())


def run_client(site: ProtocolSite, main: Main, *arguments: object, name: str = "fridge") -> int:
    return main([*map(str, arguments), "--url", site.server.url, "--key", KEY, "--deployment", name])


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_version_1_prints_the_scores_of_all_labels(
    site: ProtocolSite, files: Sequence[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_client(site, version_1.main, files[0]) == 0
    (row,) = rows_of(site, cell(JPEG))
    expected = sorted(zip(row["probs"], row["labels"], strict=True), reverse=True)
    assert lines(capsys) == [f"{prob:.4f} {label}" for prob, label in expected]
    assert version_1.score(site.server.url, JPEG, KEY)["probs"] == row["probs"]


def test_version_1_prints_what_was_found_where(
    site: ProtocolSite, files: Sequence[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_client(site, version_1.main, files[0], name="objects") == 0
    (row,) = rows_of(site, cell(JPEG), name="objects")
    assert len(row["boxes"]) > 3
    assert lines(capsys) == [
        f"{found['score']:.4f} {found['label']} at "
        f"{box['topX']:.4f} {box['topY']:.4f} {box['bottomX']:.4f} {box['bottomY']:.4f}"
        for found in row["boxes"]
        for box in [found["box"]]
    ]


def test_version_2_prints_a_line_for_each_image(
    site: ProtocolSite, files: Sequence[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_client(site, version_2.main, *files) == 0
    rows = rows_of(site, cell(JPEG), cell(OTHER))
    best = [row["labels"][int(np.argmax(row["probs"]))] for row in rows]
    expected = [f"{file}: {best[at]} {max(rows[at]['probs']):.4f}" for at, file in enumerate(files)]
    assert lines(capsys) == expected
    assert rows[0]["probs"] != rows[1]["probs"]
    assert run_client(site, version_2.main, *files, name="objects") == 0
    found = [row["boxes"] for row in rows_of(site, cell(JPEG), cell(OTHER), name="objects")]
    for line, file, boxes in zip(lines(capsys), files, found, strict=True):
        assert line.startswith(f"{file}: {len(boxes)} objects: {boxes[0]['label']} {boxes[0]['score']:.4f}")


def test_explanations_are_saved_as_images_and_numbers(
    site: ProtocolSite, files: Sequence[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_client(site, explanations.main, files[0], "--top-k", "2", "--output", tmp_path / "why") == 0
    (row,) = rows_of(site, cell(JPEG, xai_algorithm="xrai", top_k=2, attributions=True))
    names = [f"one_{number}_{each['label']}" for number, each in enumerate(row["explanations"], 1)]
    targets = [f"{each['label']} {each['confidence']:.4f} by xrai" for each in row["explanations"]]
    written = [str(tmp_path / "why" / f"{name}{ending}") for name in names for ending in (".png", ".npy")]
    assert lines(capsys) == targets + written
    for name, values, text in zip(names, row["attributions"], row["visualizations"], strict=True):
        assert np.array_equal(np.load(tmp_path / "why" / f"{name}.npy"), values)
        with Image.open(tmp_path / "why" / f"{name}.png") as saved:
            assert saved.tobytes() == Image.open(io.BytesIO(base64.b64decode(text))).tobytes()


def test_one_label_alone_is_saved_too(site: ProtocolSite, files: Sequence[Path], tmp_path: Path) -> None:
    assert run_client(site, explanations.main, files[1], "--algorithm", "gradcam", "--output", tmp_path) == 0
    (row,) = rows_of(site, cell(OTHER, xai_algorithm="gradcam", attributions=True))
    (array,) = tmp_path.glob("other_1_*.npy")
    assert np.array_equal(np.load(array), row["attributions"])
    assert np.load(array).shape == (3, 64, 64)


def test_the_custom_visualization_lies_over_what_the_network_saw(
    site: ProtocolSite, files: Sequence[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # the model's own preprocessing is the reference, on an image of odd sides
    sizes = custom_visualization.sizes_of(site.server.url, "fridge")
    pixels = custom_visualization.seen(files[1], sizes)
    with Image.open(files[1]) as opened:
        assert np.array_equal(pixels, Preprocess(80, 64).cropped(opened.convert("RGB")).numpy())
    (row,) = rows_of(site, cell(OTHER, xai_algorithm="gradcam", attributions=True))
    (values,) = explanations.maps_of(row)
    figure = custom_visualization.draw(values, pixels, "a title", "blended_heat_map", "positive")
    axes = figure.axes[0]
    assert axes.get_title() == "a title"
    assert np.abs(np.asarray(axes.images[0].get_array()) - pixels.mean(2)).max() < 1
    heat = np.clip(values.sum(0), 0, None)
    drawn = np.asarray(axes.images[1].get_array())
    assert np.corrcoef(heat.ravel(), drawn.ravel())[0, 1] > 0.98  # captum cuts off the strongest few
    assert run_client(site, custom_visualization.main, files[1], tmp_path / "why.png", "--algorithm", "gradcam") == 0
    explained = row["explanations"][0]
    assert lines(capsys) == [f"{tmp_path / 'why.png'}: {explained['label']} {explained['confidence']:.4f}, gradcam"]
    with Image.open(tmp_path / "why.png") as saved:
        assert min(saved.size) > 300
        assert np.asarray(saved).std() > 10


def test_of_several_models_one_has_to_be_named(
    site: ProtocolSite, files: Sequence[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [files[0], tmp_path / "why.png", "--algorithm", "gradcam", "--url", site.server.url, "--key", KEY]
    assert custom_visualization.main([str(each) for each in arguments]) == 1
    assert "3 models: fridge, shelf, objects. Name one with --deployment" in capsys.readouterr().err


MAINS = [
    (version_1.main, []),
    (version_2.main, []),
    (explanations.main, ["--output", "{tmp}/why"]),
    (custom_visualization.main, ["{tmp}/why.png"]),
]


@pytest.mark.parametrize("example", MAINS, ids=["version_1", "version_2", "explanations", "custom_visualization"])
def test_what_goes_wrong_is_said_in_a_sentence(
    site: ProtocolSite,
    files: Sequence[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    example: tuple[Main, Sequence[str]],
) -> None:
    main, more = example
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    url, key = ["--url", site.server.url], ["--key", KEY]
    for file, where, says in [
        (files[0], url, "/score answered 401: A key is required. Send the header"),
        (files[0], [*url, "--key", "wrong"], "/score answered 401: A key is required. Send the header"),
        (tmp_path / "none.jpg", url + key, f"The image {tmp_path / 'none.jpg'} cannot be read: No such file"),
        (bad, url + key, "/score answered 422: 1 of 1 pictures cannot be scored. Position 0: "),
        (files[0], ["--url", "http://localhost:1", *key], "http://localhost:1/score does not answer: "),
        (files[0], ["--url", "localhost", *key], "localhost/score does not answer: unknown url type"),
        (files[0], [*url, *key, "--deployment", "fridg"], "answered 404: There is no model 'fridg'."),
    ]:
        assert main([str(file), *(each.format(tmp=tmp_path) for each in more), *where]) == 1
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ")
        assert says in captured.err
        assert len(captured.err.splitlines()) == 1
        assert not captured.out


@pytest.mark.parametrize(
    "case",
    [
        (explanations.main, ["--algorithm", "magic"], "answered 422: 'xai_algorithm' is 'magic'; expected one of xrai"),
        (explanations.main, ["--output", "{file}/why"], "/why cannot be written: Not a directory"),
        (
            custom_visualization.main,
            ["{tmp}/why.xyz", "--algorithm", "gradcam"],
            "why.xyz cannot be written: Format 'xyz'",
        ),
        (
            custom_visualization.main,
            ["{tmp}/no/why.png", "--algorithm", "gradcam"],
            "/no/why.png cannot be written: No such",
        ),
    ],
)
def test_what_cannot_be_explained_or_written_is_said(
    site: ProtocolSite,
    files: Sequence[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    case: tuple[Main, Sequence[str], str],
) -> None:
    main, more, says = case
    assert run_client(site, main, files[0], *(each.format(tmp=tmp_path, file=files[0]) for each in more)) == 1
    assert says in capsys.readouterr().err


def test_boxes_have_reasons_too(
    site: ProtocolSite, files: Sequence[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--algorithm", "odam", "--top-k", "2", "--output", str(tmp_path)]
    assert run_client(site, explanations.main, files[0], *more, name="objects") == 0
    assert capsys.readouterr().out.count("by odam") == 2
    assert [np.load(file).ndim for file in tmp_path.glob("*.npy")] == [2, 2]


def test_the_typed_client_tells_what_the_reply_does(site: ProtocolSite, files: Sequence[Path]) -> None:
    client = Client(site.server.url + "/", key=KEY, deployment="fridge")
    found = client.classify([files[0], OTHER])
    rows = rows_of(site, cell(JPEG), cell(OTHER))
    assert [list(one.probs) for one in found] == [row["probs"] for row in rows]
    assert [list(one.labels) for one in found] == [row["labels"] for row in rows]
    assert [one.label for one in found] == [row["labels"][int(np.argmax(row["probs"]))] for row in rows]
    assert found[0].explanations == ()


def test_the_typed_client_finds_objects(site: ProtocolSite, files: Sequence[Path]) -> None:
    client = Client(site.server.url, key=KEY, deployment="objects")
    (row,) = rows_of(site, cell(JPEG), name="objects")
    expected = [
        Detection(
            one["label"], one["score"], tuple(one["box"][edge] for edge in ("topX", "topY", "bottomX", "bottomY"))
        )
        for one in row["boxes"]
    ]
    assert client.detect([files[0]]) == [expected]
    scores = sorted(one.score for one in expected)
    (fewer,) = client.detect([JPEG], box_score_thresh=scores[-2])
    assert 1 <= len(fewer) < len(expected)
    with pytest.raises(EndpointError, match="has no probs"):
        client.classify([JPEG])


@pytest.mark.parametrize("parameters", [{}, {"top_k": 2}, {"attributions": False}, {"visualizations": False}])
def test_the_typed_client_explains(site: ProtocolSite, parameters: dict[str, Any]) -> None:
    options = {"xai_algorithm": "gradcam", **parameters}
    (found,) = Client(site.server.url, key=KEY).explain([JPEG], **options)
    (row,) = rows_of(site, cell(JPEG, **{"attributions": True, **options}))
    assert list(found.probs) == row["probs"]
    assert [(each.label, each.confidence, each.algorithm, list(each.notes)) for each in found.explanations] == [
        (each["label"], each["confidence"], each["xai_algorithm"], each["notes"]) for each in row["explanations"]
    ]
    assert len(found.explanations) == parameters.get("top_k", 1)
    images = row["visualizations"] if "top_k" in parameters else [row["visualizations"]]
    numbers = row["attributions"] if "top_k" in parameters else [row["attributions"]]
    for each, text, values in zip(found.explanations, images, numbers, strict=True):
        assert each.png == (None if text is None else base64.b64decode(text))
        if values is None:
            with pytest.raises(ValueError, match="not asked for"):
                each.attributions()
        else:
            assert np.array_equal(each.attributions(), np.array(values, np.float32))


def test_errors_of_the_typed_client_say_all_that_the_server_does(site: ProtocolSite) -> None:
    with pytest.raises(EndpointError, match="1 of 2 pictures cannot be scored") as raised:
        Client(site.server.url, key=KEY).classify([JPEG, b"no picture"])
    error = raised.value
    assert (error.status, error.code, error.retry_after) == (422, "image_invalid", None)
    assert [(each["position"], each["code"]) for each in error.details] == [(1, "image_format")]
    assert len(error.request_id) == 36
    assert str(error) == error.message
    with pytest.raises(EndpointError, match="A key is required") as raised:
        Client(site.server.url, key="wrong").classify([JPEG])
    assert (raised.value.status, raised.value.code) == (401, "unauthorized")
    with pytest.raises(EndpointError, match="does not answer") as raised:
        Client("http://localhost:1").classify([JPEG])
    assert raised.value.status == 0
    with pytest.raises(EndpointError, match="the key 'no_such' is not known"):
        Client(site.server.url, key=KEY, deployment="objects").detect([JPEG], no_such=1)


FULL = json.dumps({"message": "The server is busy.", "code": "queue_full"}).encode()
FINE = json.dumps([{"probs": [0.25, 0.75], "labels": ["can", "carton"]}]).encode()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the client waits for, in seconds, without the waiting."""
    found: list[float] = []
    monkeypatch.setattr("examples.clients.client.time.sleep", found.append)
    return found


def test_the_typed_client_comes_back_when_it_is_told_to(waits: list[float]) -> None:
    with Busy((429, {"retry-after": "2"}, FULL), (503, {"retry-after": "1"}, FULL), (200, {}, FINE)) as busy:
        (found,) = Client(busy.url).classify([JPEG])
    assert (found.label, found.probs) == ("carton", (0.25, 0.75))
    assert waits == [2, 1]


@pytest.mark.parametrize(
    ("status", "headers", "patience"),
    [(429, {"retry-after": "31"}, 30), (503, {}, 30), (504, {"retry-after": "1"}, 30), (429, {"retry-after": "1"}, 0)],
    ids=["too long", "not told when", "of no use", "no patience"],
)
def test_the_typed_client_does_not_wait_for_ever(
    waits: list[float], status: int, headers: dict[str, str], patience: float
) -> None:
    with Busy((status, headers, FULL)) as busy, pytest.raises(EndpointError, match="The server is busy") as raised:
        Client(busy.url, patience=patience).classify([JPEG])
    assert waits == []
    assert (raised.value.status, raised.value.code) == (status, "queue_full")
    assert raised.value.retry_after == (float(headers["retry-after"]) if headers else None)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b"<html>", "something that is no JSON"),
        (200, b"[]", "not a list of 1 rows"),
        (502, b"<html>bad gateway</html>", "<html>bad gateway"),
        (200, b'[{"error": {"code": "image_format", "message": "No picture."}}]', "No picture."),
    ],
)
def test_strange_replies_are_errors_too(status: int, body: bytes, says: str) -> None:
    with Busy((status, {}, body)) as busy, pytest.raises(EndpointError, match=says) as raised:
        Client(busy.url).classify([JPEG])
    assert raised.value.status == status


@pytest.mark.parametrize(
    ("body", "says"),
    [(b"<html>", "no JSON"), (b"[]", "to 1 images is 0 rows"), (b"{}", "is a dict"), (b"[{}]", "but nothing")],
)
def test_scripts_say_what_is_strange(
    files: Sequence[Path], capsys: pytest.CaptureFixture[str], body: bytes, says: str
) -> None:
    with Busy((200, {}, body)) as busy:
        assert version_2.main([str(files[0]), "--url", busy.url]) == 1
    assert says in capsys.readouterr().err


def test_an_image_may_be_reported_instead_of_scored(files: Sequence[Path], capsys: pytest.CaptureFixture[str]) -> None:
    with Busy((200, {}, b'[{"error": {"code": "image_format", "message": "No picture."}}]')) as busy:
        assert version_2.main([str(files[0]), "--url", busy.url]) == 0
    assert lines(capsys) == [f"{files[0]}: not scored: No picture."]


def test_no_label_may_be_likely_enough_to_be_explained(
    files: Sequence[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"probs": [0.1], "labels": ["can"], "visualizations": None, "attributions": None, "explanations": []}
    with Busy(*[(200, {}, json.dumps([row]).encode())] * 3) as busy:
        url = ["--url", busy.url]
        assert explanations.main([str(files[0]), "--output", str(tmp_path), *url]) == 0
        assert lines(capsys) == ["nothing in this image was explained"]
        assert custom_visualization.main([str(files[0]), str(tmp_path / "why.png"), *url]) == 1
        assert "No label of this image was explained" in capsys.readouterr().err
        assert Client(busy.url).explain([JPEG])[0].explanations == ()
    assert list(tmp_path.iterdir()) == []


def test_the_client_is_one_file_that_can_be_copied(tmp_path: Path) -> None:
    """It imports the standard library alone, wherever it lies."""
    (tmp_path / "client.py").write_text((ROOT / "examples" / "clients" / "client.py").read_text())
    code = "import client, sys; print(sorted(sys.modules.keys() & {'numpy', 'httpx', 'PIL', 'examples'}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
