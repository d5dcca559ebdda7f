"""Scripts explained over HTTP: by RISE, in the hosted forms, in turns with other requests, and with clear errors."""

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from server.scripts.explaining.cells import explained_cells
from tests.support import http
from tests.support.images import encoded, painted
from tests.support.servers.script_site import NAME, ScriptSite, script

WHITE = encoded(np.full((40, 60, 3), 255, np.uint8), "PNG")
JPEG = encoded(painted(3, 48, 32), "JPEG")
NUMBERS: dict[str, Any] = {"attributions": True, "attributions_format": "npy_base64", "attributions_channels": 1}
DARK: dict[str, Any] = {"baseline": "black", "n_masks": 64}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptSite]:
    deployments = {
        "images": script("images"),
        "hasty": script("images", request_timeout_ms=3000),
        "two": script("images", workers=2),
    }
    site = ScriptSite(tmp_path_factory.mktemp("scripts"), deployments)
    with site.server:
        site.server.wait_for(lambda: all(site.ask(name, "OPTIONS").status_code < 300 for name in deployments))
        yield site


def cell(data: bytes = WHITE, explain: Any = True, **parameters: Any) -> dict[str, Any]:
    text = base64.b64encode(data).decode()
    return {"image_base64": text, "model_explainability": explain, "xai_parameters": parameters or None}


def ask(site: ScriptSite, *cells: Any, name: str = "images", **more: Any) -> httpx.Response:
    return site.ask(name, json={"input_data": {"columns": ["image"], "data": list(cells)}, **more}, timeout=120)


def numbers(text: str) -> np.ndarray[Any, Any]:
    return np.asarray(np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False))


def refused(reply: httpx.Response) -> tuple[int, str, str]:
    return reply.status_code, reply.json()["code"], reply.json()["message"]


def test_a_script_is_explained_like_a_model(site: ScriptSite) -> None:
    plain = base64.b64encode(WHITE).decode()
    reply = ask(site, cell(**DARK, **NUMBERS), plain, cell(WHITE, False))
    assert reply.status_code == 200, reply.text
    explained, *others = reply.json()
    assert others == [{"probs": [1.0, 0.0], "labels": ["bright", "dark"]}] * 2
    assert list(explained) == ["probs", "labels", "visualizations", "attributions", "explanations"]
    values = numbers(explained["attributions"])
    assert values.shape == (40, 60)
    assert values[:, :24].mean() > 0.01 + values[:, 36:].mean(), "only the left half is scored"
    drawn = Image.open(io.BytesIO(base64.b64decode(explained["visualizations"])))
    assert drawn.size[0] > 60
    (details,) = explained["explanations"]
    assert (details["label"], details["target"], details["confidence"]) == ("bright", 0, 1.0)
    assert (details["xai_algorithm"], details["n_steps"]) == ("rise", None)
    assert 33 <= details["forward_passes"] <= 65
    assert -1 <= details["agreement"] <= 1
    assert any("agree by" in note for note in details["notes"]) == (details["agreement"] < 0.8)
    stages = dict(part.split(";dur=") for part in reply.headers["server-timing"].split(", "))
    assert float(stages["explain"]) > 0


def test_the_same_request_gives_the_same_explanation_whatever_runs_beside_it(site: ScriptSite) -> None:
    asked = cell(JPEG, n_masks=40, seed=5, target=["predicted", "dark"])
    alone = ask(site, asked).json()
    replies: list[Any] = []
    threads = [
        threading.Thread(target=lambda name=name: replies.append(ask(site, asked, name=name).json()))
        for name in ("images", "two", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == [alone] * 3
    assert [one["label"] for one in alone[0]["explanations"]] != []
    assert len(alone[0]["visualizations"]) == 2


def test_version_1_and_the_other_forms_of_a_reply(site: ScriptSite) -> None:
    body = {"image": base64.b64encode(WHITE).decode(), "model_explainability": True, "xai_parameters": DARK}
    (listed,) = site.ask("images", json=body).json()
    one = site.ask("images", json={**body, "do": "alone"}).json()
    assert one == listed
    assert len(one["explanations"]) == 1
    text = site.ask("images", json={**body, "do": "as_text"}).json()
    assert json.loads(text) == [listed], "a reply that is a text stays one"


def test_masked_copies_have_the_form_of_the_request(site: ScriptSite, tmp_path: Path) -> None:
    told = tmp_path / "bodies"
    row = ["a name", json.dumps(cell(JPEG, "yes", n_masks=8))]
    table = {"columns": ["name", "image"], "data": [["b", "c"], row], "index": [7, 9]}
    reply = site.ask("images", json={"input_data": table, "do": "nothing", "tell": str(told)})
    assert refused(reply)[:2] == (422, "algorithm_unsupported")
    (cell_,) = explained_cells(told.read_bytes())
    assert cell_.row == 1
    other = json.loads(cell_.with_image("IMAGE"))
    assert other["input_data"] == {
        "columns": ["name", "image"],
        "index": [9],
        "data": [
            ["a name", json.dumps({**json.loads(row[1]), "image_base64": "IMAGE", "model_explainability": False})]
        ],
    }
    assert other["do"] == "nothing"

    told.unlink()
    shorter: dict[str, Any] = {"input_data": [cell(JPEG, n_masks=8)], "tell": str(told)}
    assert site.ask("images", json=shorter).status_code == 200
    first, *copies = map(json.loads, told.read_text().splitlines())
    assert first == shorter
    assert len(copies) == 8
    for copy in copies:
        (masked,) = copy["input_data"]
        image = Image.open(io.BytesIO(base64.b64decode(masked["image_base64"])))
        assert (image.format, image.size) == ("JPEG", (48, 32))
        assert {**masked, "image_base64": shorter["input_data"][0]["image_base64"]} == {
            **shorter["input_data"][0],
            "model_explainability": False,
        }


def test_copies_of_very_large_images_are_smaller_and_keep_how_they_are_turned(site: ScriptSite, tmp_path: Path) -> None:
    told, file, exif = tmp_path / "bodies", io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (2048, 64)).save(file, "JPEG", exif=exif)
    reply = ask(site, cell(file.getvalue(), n_masks=8, **NUMBERS), tell=str(told))
    (row,) = reply.json()
    assert numbers(row["attributions"]).shape == (32, 1024)
    assert "1024 x 32 pixels" in row["explanations"][0]["notes"][-1]
    *_, last = map(json.loads, told.read_text().splitlines())
    copy = Image.open(io.BytesIO(base64.b64decode(last["input_data"]["data"][0]["image_base64"])))
    assert copy.size == (1024, 32)
    assert copy.getexif()[0x0112] == 6


@pytest.mark.parametrize(
    ("do", "what"),
    [
        ("boxes", "the script replies an object with the keys ['boxes']"),
        ("nothing", "The script's reply is no JSON: "),
        ("short", "has 0 values, none for the image in row 0"),
        ("more_for_copies", "gives a masked copy 3 probabilities, and the picture itself 2"),
    ],
)
def test_a_reply_of_another_form_cannot_be_explained(site: ScriptSite, do: str, what: str) -> None:
    status, code, message = refused(ask(site, cell(), do=do))
    assert (status, code) == (422, "algorithm_unsupported")
    assert what in message
    assert "To be explained, it has to" in message
    if do != "more_for_copies":
        assert ask(site, cell(WHITE, False), do=do).status_code == 200, "without an explanation, any form is fine"


@pytest.mark.parametrize(
    ("parameters", "code", "what"),
    [
        ({"xai_algorithm": "xrai"}, "algorithm_unsupported", "shows its scores alone. Use rise."),
        ({"n_mask": 5}, "xai_parameters_invalid", "Did you mean 'n_masks'?"),
        ({"n_masks": 7}, "xai_parameters_invalid", "a whole number from 8 to 10000"),
        ({"target": "birght"}, "target_unknown", "Did you mean 'bright'?"),
        ({"target": 2}, "target_unknown", "a number from 0 to 1"),
        ({"baseline": "mean"}, "xai_parameters_invalid", "which a script has not"),
        ({"quality": True}, "xai_parameters_invalid", "'quality' is for models"),
        ({"against": "dark"}, "xai_parameters_invalid", "'against' is for models"),
    ],
)
def test_bad_parameters(site: ScriptSite, parameters: dict[str, Any], code: str, what: str) -> None:
    found = refused(ask(site, cell(**parameters)))
    assert found[:2] == (422, code)
    assert what in found[2]


def test_a_script_that_explains_itself_is_left_alone(site: ScriptSite) -> None:
    (row,) = ask(site, cell(JPEG, xai_algorithm="xrai"), do="explains_itself").json()
    assert row["visualizations"] == "mine"
    assert "explanations" not in row


def test_a_script_that_fails_on_copies_fails(site: ScriptSite) -> None:
    assert refused(ask(site, cell(), do="fails_on_copies"))[:2] == (500, "script_failed")
    assert ask(site, cell(n_masks=8)).status_code == 200


def test_what_is_no_image_to_us_is_an_error_where_the_script_took_it(site: ScriptSite) -> None:
    tga = io.BytesIO()
    Image.new("RGB", (8, 8)).save(tga, "TGA")
    status, code, message = refused(ask(site, cell(tga.getvalue())))
    assert (status, code) == (422, "image_invalid")
    assert "row 0" in message


def test_a_budget_ends_it_early(site: ScriptSite) -> None:
    started = time.monotonic()
    (row,) = ask(site, cell(JPEG, n_masks=10_000, explain_budget_ms=300), seconds=0.02).json()
    assert time.monotonic() - started < 10
    (details,) = row["explanations"]
    assert 2 <= details["forward_passes"] < 200
    assert "masks." in details["notes"][0]


def test_the_deadline_holds_for_all_cells_together(site: ScriptSite) -> None:
    cells = [cell(JPEG, n_masks=10_000), cell(WHITE, n_masks=10_000, baseline="white")]
    reply = ask(site, *cells, name="hasty", seconds=0.02)
    assert reply.status_code == 200, reply.text
    for row in reply.json():
        assert row["explanations"][0]["forward_passes"] > 2
        assert "Time allowed for" in row["explanations"][0]["notes"][0]


def test_other_requests_get_their_turns(site: ScriptSite) -> None:
    done = threading.Event()

    def explain() -> None:
        ask(site, cell(WHITE, baseline="white", n_masks=60), seconds=0.05)
        done.set()

    thread = threading.Thread(target=explain)
    thread.start()
    answered = 0
    while not done.is_set():
        ask(site, base64.b64encode(WHITE).decode())
        answered += 1
        time.sleep(0.05)
    thread.join()
    assert answered >= 5


def test_nothing_goes_on_for_a_client_that_has_left(site: ScriptSite, tmp_path: Path) -> None:
    told = tmp_path / "bodies"
    body = {"input_data": [cell(JPEG, n_masks=10_000)], "tell": str(told), "seconds": 0.05}
    with pytest.raises(httpx.TimeoutException):
        http.post(f"{site.server.url}/score", json=body, headers={NAME: "images"}, timeout=3)
    time.sleep(1)
    seen = told.read_text().count("\n")
    assert seen > 1
    time.sleep(0.5)
    assert told.read_text().count("\n") == seen
