"""The signature of an MLflow folder: where it lies, how it is read, and the default without one."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.errors import ModelError
from models.folder.layout import locate
from models.folder.signature import Column, Signature, is_of_transformers, parse_signature
from server.ipc.model_facts import ModelFacts
from tests.support.folders.checkpoints import Layout, write_automl_folder, write_mlmodel
from tests.support.servers.live_server import run_server

IMAGE = Signature((Column("image", "binary"),))


def read(folder: Path, inputs: Any) -> Signature:
    return parsed(write_mlmodel(folder, inputs))


def parsed(file: Path | None) -> Signature:
    assert file is not None
    return parse_signature(file, file.read_bytes())


@pytest.mark.parametrize("layout", ["mlflow-model", "artifacts", "run"])
def test_it_lies_beside_the_artifacts(tmp_path: Path, layout: Layout) -> None:
    signature = [{"name": "picture", "type": "binary"}]
    folder = locate(write_automl_folder(tmp_path, layout, state={}, signature=signature))
    assert parsed(folder.mlmodel) == Signature((Column("picture", "binary"),))


@pytest.mark.parametrize("layout", ["outputs", "train_artifacts", "bare"])
def test_other_folders_have_none(tmp_path: Path, layout: Layout) -> None:
    folder = locate(write_automl_folder(tmp_path, layout, state={}))
    assert folder.mlmodel is None
    assert Signature() == IMAGE


def test_a_checkpoint_named_by_itself_has_it_too(tmp_path: Path) -> None:
    write_automl_folder(tmp_path, "artifacts", state={}, signature=[{"name": "picture", "type": "string"}])
    folder = locate(tmp_path / "artifacts/model.pt")
    assert str(parsed(folder.mlmodel)) == "picture: string (required)"


@pytest.mark.parametrize(
    ("inputs", "image", "missing"),
    [
        ([{"name": "image", "type": "binary"}], "image", ["image"]),
        ([{"name": "photo", "type": "binary"}], "photo", ["photo"]),
        ([{"name": "id", "type": "string"}, {"name": "photo", "type": "binary"}], "photo", ["id", "photo"]),
        ([{"name": "a", "type": "binary"}, {"name": "image", "type": "string"}], "image", ["a", "image"]),
        ([{"name": "a", "type": "string"}, {"name": "b", "type": "string"}], "a", ["a", "b"]),
        ([{"name": "a", "type": "long"}, {"name": "b", "type": "string"}], "b", ["a", "b"]),
        (
            [{"name": "image", "type": "binary", "required": True}, {"name": "b", "type": "long", "required": False}],
            "image",
            ["image"],
        ),
        ([{"name": "image", "type": "binary", "optional": True}], "image", ["image"]),
        ([{"name": "image", "type": "binary"}, {"name": "b", "type": "long", "optional": True}], "image", ["image"]),
    ],
)
def test_a_column_holds_the_images_and_others_may_be_required(
    tmp_path: Path, inputs: Any, image: str, missing: list[str]
) -> None:
    found = read(tmp_path, inputs)
    assert found.image_column == image
    assert [column.name for column in found.columns] == [column["name"] for column in inputs]
    assert found.missing([]) == missing
    assert found.missing(missing) == []


@pytest.mark.parametrize(
    "inputs",
    [
        [{"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 224, 224, 3]}}],
        [{"type": "double"}],
        [{"type": "string"}, {"type": "string"}],
        [{"name": "image", "type": "double"}],
        [],
        ["image"],
        [{"name": "im\udce9", "type": "binary"}],
    ],
    ids=["tensor", "no name", "two without a name", "number", "none", "text", "no Unicode"],
)
def test_one_of_no_table_of_images_is_passed_over(
    tmp_path: Path, inputs: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(tmp_path, inputs) == IMAGE
    assert "is not of a table with a column of binaries or texts. image: binary (required) is assumed." in caplog.text


@pytest.mark.parametrize("kind", ["string", "binary"])
@pytest.mark.parametrize("more", [{}, {"required": True}])
def test_a_column_without_a_name_may_be_called_anything(
    tmp_path: Path, kind: str, more: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    found = read(tmp_path, [{"type": kind, **more}])
    assert not caplog.text, "it is the usual signature of models of transformers"
    assert str(found) == f"image: {kind} (required), by any name where it is the only one"
    for given, image, missing in (
        (["image"], "image", []),
        (["0"], "0", []),
        (["a", "image"], "image", []),
        (["a", "b"], "image", ["image"]),
        ([], "image", ["image"]),
    ):
        assert (found.image_column_in(given), found.missing(given)) == (image, missing)


@pytest.mark.parametrize(
    ("flavors", "expected"),
    [
        ({"transformers": {"task": "image-classification"}, "python_function": {}}, True),
        ({"hftransformersv2": {}}, True),
        ({"hftransformers": None}, True),
        ({"python_function": {}}, False),
        (["transformers"], False),
        (None, False),
    ],
)
def test_the_flavors_tell_what_saved_it(flavors: Any, expected: bool) -> None:
    assert is_of_transformers(Path("MLmodel"), json.dumps({"flavors": flavors}).encode()) is expected


@pytest.mark.parametrize("text", ["", "flavors: {}\n", "signature: null\n", "signature:\n  inputs: null\n", "- 1\n"])
def test_a_file_without_a_signature_says_nothing(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "MLmodel").write_text(text)
    assert parsed(tmp_path / "MLmodel") == IMAGE
    assert not caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"signature: [", "cannot be read"),
        (b"signature:\n  inputs: '[{'\n", "cannot be read"),
        (b"\xff\xfes", "cannot be read"),
        (b"signature:\n  inputs: '{}'\n", "expected a JSON list"),
        (b"signature:\n  inputs: !!python/object/apply:os.system ['exit']\n", "could not determine a constructor"),
    ],
    ids=["no yaml", "no json", "no text", "an object", "code"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "MLmodel"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        parsed(file)
    assert str(file) in str(caught.value)


def test_engines_tell_it_as_json() -> None:
    columns = (Column("picture", "binary"), Column("remark", "string", required=False))
    facts = ModelFacts("resnet18", "multiclass", ("can", "carton"), (("valid_crop_size", 64),), Signature(columns))
    assert ModelFacts.of(json.loads(json.dumps(facts.fields()))) == facts


def test_a_dry_run_shows_it(tmp_path: Path) -> None:
    signature = [{"name": "picture", "type": "binary"}, {"name": "shelf", "type": "string"}]
    folder = write_automl_folder(tmp_path, sizes=(40, 32), signature=signature)
    done = run_server("--model", folder, "--check", "--max-batch-images", "1")
    assert done.returncode == 0, done.stderr
    assert "  signature     picture: binary (required), shelf: string (required)\n" in done.stdout
    (folder / "mlflow-model/MLmodel").write_text("signature: [")
    done = run_server("--model", folder, "--check")
    assert done.returncode == 3
    assert "MLmodel cannot be read" in done.stderr
