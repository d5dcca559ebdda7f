import os
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.errors import ModelError
from models.folder.checkpoint import Checkpoint, read_checkpoint
from models.folder.layout import locate
from models.folder.opened import OpenedFolder
from tests.support.contract import contract
from tests.support.folders.checkpoints import automl_checkpoint


def seeded_state() -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(3)
    network = nn.Sequential(OrderedDict(norm=nn.BatchNorm1d(5), head=nn.Linear(5, 2)))
    return OrderedDict(
        (name, torch.rand(tensor.shape, generator=random) if tensor.is_floating_point() else tensor)
        for name, tensor in network.state_dict().items()
    )


STATE = seeded_state()


def saved(folder: Path, content: Any, **options: Any) -> Path:
    torch.save(content, folder / "model.pt", **options)
    return folder / "model.pt"


def read(file: Path) -> Checkpoint:
    with OpenedFolder(locate(file)) as files:
        return read_checkpoint(files.weights(file))


def assert_is_state(state: dict[str, Tensor], expected: dict[str, Tensor] = STATE) -> None:
    assert list(state) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), name


@contract("Checkpoints and model folders", "Everything else that training saves is tolerated")
@pytest.mark.parametrize("modern", [True, False], ids=["zip", "legacy"])
def test_everything_that_training_saves_is_tolerated(tmp_path: Path, modern: bool) -> None:
    content = automl_checkpoint(STATE, name="resnet18", labels=("a", "b"), multilabel=True, sizes=(80, 64))
    found = read(saved(tmp_path, content, _use_new_zipfile_serialization=modern))
    assert (found.model_name, found.number_of_classes) == ("resnet18", 2)
    assert found.specs == content["specs"]
    assert_is_state(found.state)


@contract(
    "Checkpoints and model folders",
    "Four keys of a checkpoint are needed: model_state, model_name, number_of_classes, specs",
)
def test_four_keys_are_enough(tmp_path: Path) -> None:
    content = automl_checkpoint(STATE, labels=("a", "b"))
    four = {key: content[key] for key in ("model_name", "number_of_classes", "specs", "model_state")}
    assert_is_state(read(saved(tmp_path, four)).state)


def test_a_checkpoint_of_numpy_1_is_read(tmp_path: Path) -> None:
    file = saved(tmp_path, automl_checkpoint(STATE, labels=("a", "b")), _use_new_zipfile_serialization=False)
    data = file.read_bytes()
    assert b"numpy._core.multiarray" in data
    file.write_bytes(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert read(file).model_name == "resnet18"


def test_a_number_of_classes_may_be_of_numpy(tmp_path: Path) -> None:
    content = automl_checkpoint(STATE, labels=("a", "b")) | {"number_of_classes": np.int64(2)}
    assert read(saved(tmp_path, content)).number_of_classes == 2


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model", "model_state"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_a_state_dict_is_found_in_its_wrappers(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    state = OrderedDict((prefix + name, tensor) for name, tensor in STATE.items())
    found = read(saved(tmp_path, {wrapper: state, "epoch": 3} if wrapper else state))
    assert (found.model_name, found.number_of_classes, found.specs) == (None, None, None)
    assert_is_state(found.state)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_safetensors_are_read(tmp_path: Path, prefix: str) -> None:
    file = tmp_path / "model.safetensors"
    save_file({prefix + name: tensor for name, tensor in STATE.items()}, file)
    found = read(file)
    assert (found.model_name, found.number_of_classes, found.specs) == (None, None, None)
    assert_is_state(dict(sorted(found.state.items())), dict(sorted(STATE.items())))


class Call:
    """Pickles as a call of a function, as a malicious checkpoint would."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


ATTACKS: dict[str, Callable[[Path], Call]] = {
    "system": lambda file: Call(os.system, f"touch '{file}'"),
    "eval": lambda file: Call(eval, f"open({str(file)!r}, 'w')"),
    "open": lambda file: Call(open, str(file), "w"),
    "mkdir": lambda file: Call(os.mkdir, str(file)),
    "getattr": lambda file: Call(getattr, file, "touch"),
}


@contract(
    "Checkpoints and model folders",
    "Checkpoints are unpickled, whatever they hold",
    "better",
    "nothing in a file is ever run",
)
@pytest.mark.parametrize("place", ["metrics", "specs", "whole"])
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("modern", [True, False], ids=["zip", "legacy"])
def test_a_pickle_that_calls_something_is_refused_and_not_run(
    tmp_path: Path, attack: str, place: str, modern: bool
) -> None:
    bait = tmp_path / "executed"
    evil = ATTACKS[attack](bait)
    content: Any = evil if place == "whole" else automl_checkpoint(STATE) | {place: evil}
    file = saved(tmp_path, content, _use_new_zipfile_serialization=modern)
    with pytest.raises(ModelError) as caught:
        read(file)
    assert not bait.exists()
    refused, _, reason = str(caught.value).removeprefix(f"{file} holds an object of type ").partition(",")
    assert refused.rpartition(".")[2] == attack
    assert "could run code" in reason


def test_the_attacks_would_work_on_an_ordinary_loader(tmp_path: Path) -> None:
    bait = tmp_path / "executed"
    file = saved(tmp_path, automl_checkpoint(STATE) | {"metrics": ATTACKS["system"](bait)})
    torch.load(file, weights_only=False)
    assert bait.exists()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        (automl_checkpoint(STATE) | {"metrics": defaultdict(list)}, "collections.defaultdict"),
        (automl_checkpoint(STATE) | {"metrics": np.array([None], dtype=object)}, "ObjectDType"),
    ],
    ids=["a whole module", "a defaultdict", "an array of objects"],
)
def test_other_types_are_refused_by_name(tmp_path: Path, content: Any, kind: str) -> None:
    with pytest.raises(ModelError, match=f"an object of type .*{kind}, which is refused"):
        read(saved(tmp_path, content))


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".safetensors"])
@pytest.mark.parametrize("damage", ["empty", "text", "zeros", "zip", "pickle", "cut", "start cut off"])
def test_a_damaged_file_is_named(tmp_path: Path, suffix: str, damage: str) -> None:
    file = tmp_path / f"model{suffix}"
    if suffix == ".safetensors":
        save_file(STATE, file)
    else:
        torch.save(automl_checkpoint(STATE), file)
    data = file.read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "text": b"version https://git-lfs.github.com/spec/v1\n" * 3,
            "zeros": bytes(1000),
            "zip": b"PK\x03\x04" + bytes(100),
            "pickle": pickle.dumps({"a": 1}),
            "cut": data[: len(data) // 2],
            "start cut off": data[20:],
        }[damage]
    )
    with pytest.raises(ModelError) as caught:
        read(file)
    assert str(file) in str(caught.value)
    assert "Copy the file again." in str(caught.value)
    assert "/proc/" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"number_of_classes": 0}, "number_of_classes is 0; expected a whole number of at least 1"),
        ({"number_of_classes": "4"}, "number_of_classes is '4'"),
        ({"number_of_classes": None}, "number_of_classes is None"),
        ({"number_of_classes": np.arange(2)}, r"number_of_classes is \[0, 1\]"),
        ({"model_name": None}, "model_name is None and specs a dict; expected a text and a dict"),
        ({"specs": None}, "specs a NoneType"),
        ({"specs": [1]}, "specs a list"),
        ({"model_state": None}, "no state dict"),
        ({"model_state": {}}, "no state dict"),
        ({"model_state": {"head": [1.0]}}, "no state dict"),
        ({"model_state": {1: torch.zeros(1)}}, "no state dict"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_training_would_not_write_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read(saved(tmp_path, automl_checkpoint(STATE) | change))
    assert str(tmp_path / "model.pt") in str(caught.value)


@pytest.mark.parametrize("content", [[1], "text", 5, torch.zeros(2)], ids=["list", "text", "number", "tensor"])
def test_what_is_no_dict_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(ModelError, match=f"holds a {type(content).__name__}; expected a checkpoint or a state dict"):
        read(saved(tmp_path, content))


@pytest.mark.filterwarnings("ignore:`?'?torch:Warning")
def test_a_torchscript_archive_is_called_so(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "model.pt")
    with pytest.raises(ModelError, match=r"is a TorchScript archive\. Save model\.state_dict\(\)"):
        read(tmp_path / "model.pt")
