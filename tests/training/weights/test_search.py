import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.support.folders.checkpoints import LABELS, write_automl_folder, write_plain_folder, write_timm_folder
from training.errors import TrainingError
from training.weights import library_files, search
from training.weights.library_files import LibraryFiles, backbone_of
from training.weights.search import find_weights
from training.weights.starting_weights import StartingWeights

STATE = {"fc.weight": torch.arange(6.0).view(2, 3)}


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache of torch; that of Hugging Face is empty too."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hugging"))
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    return cache


def found(model_name: str, **options: Any) -> StartingWeights:
    weights = find_weights(None, model_name, roots=(), **options)
    assert weights is not None
    return weights


def test_a_folder_of_the_hosted_service_brings_its_labels(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path / "run", "run", state={"fc.weight": torch.zeros(4, 512)})
    weights = find_weights(str(folder), "resnet18")
    assert weights is not None
    assert (weights.model_name, weights.labels) == ("resnet18", LABELS)
    file = folder / "outputs/mlflow-model/artifacts/model.pt"
    assert weights.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_plain_weights_bring_what_their_companions_say(tmp_path: Path) -> None:
    weights = find_weights(str(write_plain_folder(tmp_path / "plain", state=STATE)), "resnet18")
    assert weights is not None
    assert (weights.model_name, weights.labels) == ("torchvision/resnet18", LABELS)
    weights = find_weights(str(write_timm_folder(tmp_path / "timm")), "timm/resnet10t")
    assert weights is not None
    assert (weights.model_name, weights.labels) == ("timm/resnet10t", ("a", "b", "c"))


def test_classes_that_timm_numbers_are_no_labels(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet10t", "num_classes": 2}))
    weights = find_weights(str(tmp_path / "model.safetensors"), "timm/resnet10t")
    assert weights is not None
    assert (weights.model_name, weights.labels) == ("timm/resnet10t", None)


@pytest.mark.parametrize("content", [STATE, {"state_dict": STATE}, {"module.fc.weight": STATE["fc.weight"]}])
def test_a_state_dict_alone_is_read(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "any.pth")
    weights = find_weights(str(tmp_path / "any.pth"), "resnet18")
    assert weights is not None
    assert (weights.model_name, weights.labels, list(weights.state)) == (None, None, ["fc.weight"])


def test_weights_that_could_run_code_are_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), tmp_path / "any.pth")
    with pytest.raises(TrainingError, match=r"cannot be used: .* could run code"):
        find_weights(str(tmp_path / "any.pth"), "resnet18")


def test_a_missing_file_is_refused_whatever_lies_in_caches(caches: Path) -> None:
    torch.save(STATE, caches / "resnet18-5c106cde.pth")
    with pytest.raises(TrainingError, match="does not exist"):
        find_weights("nowhere.pth", "resnet18")


def test_the_folder_of_weights_goes_before_caches(tmp_path: Path, caches: Path) -> None:
    root = tmp_path / "weights"
    root.mkdir()
    torch.save(STATE, root / "yolov5.pth")
    save_file(STATE, root / "yolov5-small.safetensors")
    for size, name in (("small", "yolov5-small.safetensors"), ("medium", "yolov5.pth")):
        weights = find_weights(None, "yolov5", roots=(root,), model_size=size)
        assert weights is not None
        assert weights.source == str(root / name)
    (root / "torchvision").mkdir()
    torch.save(STATE, root / "torchvision" / "resnet18.pth")
    assert find_weights(None, "torchvision/resnet18", roots=(root,)) is not None


def cached(folder: Path, name: str) -> Path:
    """Save weights under the name that says the start of their hash."""
    torch.save(STATE, folder / "file")
    digest = hashlib.sha256((folder / "file").read_bytes()).hexdigest()
    return (folder / "file").rename(folder / name.replace("HASH", digest[:8]))


def test_files_of_torchvision_are_found_in_the_cache(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_weights(None, "resnet18", roots=()) is None
    file = cached(caches, "resnet18-HASH.pth")
    monkeypatch.setattr(library_files, "_OLDER", {"resnet18": (file.name,)})
    weights = found("resnet18")
    assert (weights.source, len(weights.labels or ())) == (str(file), 1000)
    assert found("fasterrcnn_resnet18_fpn").source == str(file)  # for its body


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("resnet18", "resnet18-5c106cde.pth"),
        ("resnet18", "resnet18-f37072fd.pth"),
        ("torchvision/resnet18", "resnet18-f37072fd.pth"),
        ("mobilenetv2", "mobilenet_v2-b0353104.pth"),
        ("fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"),
        ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth"),
        ("retinanet_resnet50_fpn", "retinanet_resnet50_fpn_coco-eeacb38b.pth"),
        ("maskrcnn_resnet34_fpn", "resnet34-333f7ec4.pth"),
        ("seresnext", "se_resnext50_32x4d-a260b3a4.pth"),
        ("vitb16r224", "jx_vit_base_p16_224-80ecf9dd.pth"),
    ],
)
def test_a_file_whose_hash_is_not_that_of_its_name_is_damaged(caches: Path, model: str, name: str) -> None:
    torch.save(STATE, caches / name)
    with pytest.raises(TrainingError, match=rf"{name} is damaged: its sha256 begins with \w+, its name says"):
        find_weights(None, model, roots=())


def test_labels_of_published_detectors_have_no_background() -> None:
    boxes, dense = (library_files.library_files(f"{name}_resnet50_fpn") for name in ("fasterrcnn", "retinanet"))
    assert boxes is not None and dense is not None
    assert (boxes.labels or ())[0] == "person"
    assert (dense.labels or ())[:2] == ("__background__", "person")
    assert len(boxes.labels or ()) == 90


def test_files_of_timm_are_found_in_the_cache_of_the_hub(tmp_path: Path) -> None:
    repository = tmp_path / "hugging" / "models--timm--resnest50d.in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    save_file(STATE, snapshot / "model.safetensors")
    assert find_weights(None, "resnest101", roots=()) is None
    weights = found("resnest50")
    assert (weights.source, weights.labels) == (str(snapshot / "model.safetensors"), None)


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve the files of a folder, as the hub of Hugging Face does; yields the URL and the folder."""
    folder = tmp_path / "published"
    folder.mkdir()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            file = folder / Path(self.path.split("?")[0]).name
            content = file.read_bytes() if file.is_file() else b""
            self.send_response(200 if file.is_file() else 404)
            headers: Mapping[str, str] = {"X-Repo-Commit": "0" * 40, "ETag": f'"{len(content)}"'}
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


def publish(monkeypatch: pytest.MonkeyPatch, files: LibraryFiles) -> None:
    monkeypatch.setattr(search, "library_files", lambda name: files)


def test_weights_are_downloaded_when_asked(
    publisher: tuple[str, Path], caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = publisher
    file = cached(folder, "any-HASH.pth")
    published = LibraryFiles((file.name,), f"{url}/{file.name}")
    publish(monkeypatch, published)
    assert find_weights(None, "resnet18", roots=()) is None
    assert found("resnet18", download=True).source == str(caches / file.name)
    assert found("resnet18").source == str(caches / file.name)
    publish(monkeypatch, replace(published, names=("any-00000000.pth",)))
    with pytest.raises(TrainingError, match="cannot be had from http"):
        find_weights(None, "resnet18", roots=(), download=True)
    assert not (caches / "any-00000000.pth").exists()


def test_weights_are_downloaded_from_the_hub(publisher: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    url, folder = publisher
    save_file(STATE, folder / "model.safetensors")
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    # as it is after a folder of transformers has been loaded
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    publish(monkeypatch, LibraryFiles((), None, "timm/any"))
    weights = found("resnet18", download=True)
    assert weights.source.endswith("models--timm--any/snapshots/" + "0" * 40 + "/model.safetensors")


def test_what_no_library_publishes_is_not_downloaded() -> None:
    assert find_weights(None, "yolov5", roots=(), download=True) is None
    assert (backbone_of("maskrcnn_resnet18_fpn"), backbone_of("resnet18"), backbone_of("yolov5")) == (
        "resnet18",
        None,
        None,
    )
