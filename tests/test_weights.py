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

from models.architecture.architecture import ClassifierArchitecture
from models.architecture.cam_layer import last_convolution
from models.errors import ModelError
from models.folder.weights import build_network, read_checkpoint
from settings.model import ClassificationSettings
from tests.checkpoints import automl_checkpoint
from tests.contract import contract


class Net(nn.Module):
    """A batch norm, a linear layer and, on request, a buffer that is computed and not part of a state dict."""

    def __init__(self, classes: int, *, hidden: bool = False, computing: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(5)
        self.head = nn.Linear(5, classes)
        if hidden:
            self.register_buffer("scale", torch.arange(1, 6).float(), persistent=False)
        if computing:
            self.factor = torch.linspace(0, 2, 3).sum().item()  # has no value on the meta device

    def forward(self, values: Tensor) -> Tensor:
        scores: Tensor = self.head(self.norm(values) * getattr(self, "scale", 1) * getattr(self, "factor", 1))
        return scores


def architecture(**options: bool) -> ClassifierArchitecture:
    return ClassifierArchitecture(
        "net", build=lambda classes, settings: Net(classes, **options), cam_layer=last_convolution
    )


def seeded_state(classes: int = 2) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(3)
    state = Net(classes).state_dict()
    return OrderedDict(
        (name, torch.rand(tensor.shape, generator=random) if tensor.is_floating_point() else tensor)
        for name, tensor in state.items()
    )


STATE = seeded_state()


def saved(folder: Path, content: Any, **options: Any) -> Path:
    torch.save(content, folder / "model.pt", **options)
    return folder / "model.pt"


def assert_is_state(state: dict[str, Tensor], expected: dict[str, Tensor] = STATE) -> None:
    assert list(state) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), name


@contract("Checkpoints and model folders", "Everything else that training saves is tolerated")
@pytest.mark.parametrize("modern", [True, False], ids=["zip", "legacy"])
def test_everything_that_training_saves_is_tolerated(tmp_path: Path, modern: bool) -> None:
    content = automl_checkpoint(STATE, name="resnet18", labels=("a", "b"), multilabel=True, sizes=(80, 64))
    found = read_checkpoint(saved(tmp_path, content, _use_new_zipfile_serialization=modern))
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
    assert_is_state(read_checkpoint(saved(tmp_path, four)).state)


def test_a_checkpoint_of_numpy_1_is_read(tmp_path: Path) -> None:
    file = saved(tmp_path, automl_checkpoint(STATE, labels=("a", "b")), _use_new_zipfile_serialization=False)
    data = file.read_bytes()
    assert b"numpy._core.multiarray" in data
    file.write_bytes(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert read_checkpoint(file).model_name == "resnet18"


def test_a_number_of_classes_may_be_of_numpy(tmp_path: Path) -> None:
    content = automl_checkpoint(STATE, labels=("a", "b")) | {"number_of_classes": np.int64(2)}
    assert read_checkpoint(saved(tmp_path, content)).number_of_classes == 2


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model", "model_state"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_a_state_dict_is_found_in_its_wrappers(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    state = OrderedDict((prefix + name, tensor) for name, tensor in STATE.items())
    found = read_checkpoint(saved(tmp_path, {wrapper: state, "epoch": 3} if wrapper else state))
    assert (found.model_name, found.number_of_classes, found.specs) == (None, None, None)
    assert_is_state(found.state)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_safetensors_are_read(tmp_path: Path, prefix: str) -> None:
    file = tmp_path / "model.safetensors"
    save_file({prefix + name: tensor for name, tensor in STATE.items()}, file)
    found = read_checkpoint(file)
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
        read_checkpoint(file)
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
        read_checkpoint(saved(tmp_path, content))


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
        read_checkpoint(file)
    assert str(file) in str(caught.value)
    assert "Copy the file again." in str(caught.value)


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
        read_checkpoint(saved(tmp_path, automl_checkpoint(STATE) | change))
    assert str(tmp_path / "model.pt") in str(caught.value)


@pytest.mark.parametrize("content", [[1], "text", 5, torch.zeros(2)], ids=["list", "text", "number", "tensor"])
def test_what_is_no_dict_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(ModelError, match=f"holds a {type(content).__name__}; expected a checkpoint or a state dict"):
        read_checkpoint(saved(tmp_path, content))


@pytest.mark.filterwarnings("ignore:`?'?torch:Warning")
def test_a_torchscript_archive_is_called_so(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(Net(2)), tmp_path / "model.pt")
    with pytest.raises(ModelError, match=r"is a TorchScript archive\. Save model\.state_dict\(\)"):
        read_checkpoint(tmp_path / "model.pt")


def built(state: dict[str, Tensor], **options: bool) -> nn.Module:
    return build_network(architecture(**options), 2, ClassificationSettings(), state, Path("model.pt"))


@pytest.mark.parametrize("options", [{}, {"hidden": True}, {"computing": True}], ids=["plain", "hidden", "computing"])
def test_a_network_computes_what_its_origin_computes(options: dict[str, bool]) -> None:
    origin = Net(2, **options).eval()
    origin.load_state_dict(STATE)
    network = built(STATE, **options)
    inputs = torch.rand(4, 5, generator=torch.Generator().manual_seed(4))
    assert torch.equal(network(inputs), origin(inputs))
    assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


def test_a_network_is_for_evaluation_only() -> None:
    network = built(STATE)
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_weights_of_any_precision_become_float32(dtype: torch.dtype) -> None:
    network = built({name: tensor.to(dtype) for name, tensor in STATE.items()})
    for name, tensor in network.state_dict().items():
        expected = STATE[name].to(dtype).to(STATE[name].dtype)
        assert tensor.dtype == STATE[name].dtype
        assert torch.equal(tensor, expected), name


def test_counters_of_batch_norms_may_be_missing() -> None:
    network = built({name: tensor for name, tensor in STATE.items() if not name.endswith("num_batches_tracked")})
    assert_is_state(network.state_dict())


def test_weights_are_copied() -> None:
    state = {name: tensor.clone() for name, tensor in STATE.items()}
    network = built(state)
    for tensor in state.values():
        tensor.zero_()
    assert_is_state(network.state_dict())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({key: STATE[key] for key in STATE if "norm" not in key}, "4 missing (norm.bias, norm.running_mean, norm.r"),
        (STATE | {"tail.bias": STATE["head.bias"]}, "1 unexpected (tail.bias)"),
        (seeded_state(3), "2 of another shape (head.weight is [3, 5], expected [2, 5], head.bias is [3], expected [2]"),
        (STATE | {"head.bias": torch.zeros(2, dtype=torch.int8)}, "1 not of floating point (head.bias is int8)"),
        (STATE | {"head.bias": torch.zeros(2, dtype=torch.complex64)}, "(head.bias is complex64)"),
    ],
    ids=["missing", "unexpected", "shape", "whole numbers", "complex numbers"],
)
def test_tensors_that_do_not_fit_are_named(state: dict[str, Tensor], words: str) -> None:
    for options in ({}, {"hidden": True}, {"computing": True}):
        with pytest.raises(ModelError) as caught:
            built(state, **options)
        assert str(caught.value).startswith("The tensors of model.pt do not fit the architecture: ")
        assert words in str(caught.value)
        assert "Check the architecture's name and the number of classes." in str(caught.value)
