import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.classifier import Classifier
from models.errors import ImageError, ModelError
from models.images.decoding import ImageLimits
from models.loaded import load_classifier
from models.runtime.precision import FP32, PRECISIONS
from settings.errors import SettingsError
from tests.support.contract import contract
from tests.support.folders.checkpoints import LABELS, seeded_network, write_automl_folder, write_plain_folder
from tests.support.images import encoded, painted
from tests.support.repository import ROOT

LIMITS = ImageLimits(10**7, 10**7)
SMALL = (80, 64)


@pytest.fixture(scope="module")
def model(fridge_folder: Path) -> Classifier:
    return load_classifier(fridge_folder)


@pytest.fixture(scope="module")
def images(model: Classifier) -> list[torch.Tensor]:
    return [model.crop(encoded(painted(seed, 100, 90), "PNG"), LIMITS) for seed in range(4)]


def test_a_loaded_model_knows_what_it_is(model: Classifier, fridge_folder: Path) -> None:
    definition = model.definition
    assert definition.labels == LABELS
    assert (definition.architecture.name, definition.task.name) == ("resnet18", "multiclass")
    assert definition.folder.weights == fridge_folder / "mlflow-model/artifacts/model.pt"
    assert (model.preprocess.resize, model.preprocess.crop, model.pixels) == (80, 64, 64 * 64)
    assert (model.device, model.precision) == (torch.device("cpu"), FP32)
    assert definition.settings.sources["valid_crop_size"].endswith("settings.json")
    assert definition.settings.warnings == ()


def test_an_image_is_decoded_and_cropped(model: Classifier) -> None:
    found = model.crop(encoded(painted(1, 100, 90), "PNG"), LIMITS)
    assert (found.shape, found.dtype) == ((64, 64, 3), torch.uint8)
    with pytest.raises(ImageError):
        model.crop(b"no picture", LIMITS)


def test_examples_can_be_scored(model: Classifier) -> None:
    outputs = model.outputs(model.example(3))
    assert [output.shape for output in outputs] == [(4,)] * 3
    assert torch.allclose(outputs[0], outputs[2], atol=1e-5)


@contract("Replies", "`probs` are floats of full precision, `labels` all classes in the order of training")
def test_outputs_are_those_of_the_network_that_was_saved(model: Classifier, images: list[torch.Tensor]) -> None:
    with torch.inference_mode():
        expected = seeded_network("resnet18", 4, 64)(model.preprocess.inputs(torch.stack(images)))
    found = model.outputs(images)
    assert [(output.dtype, output.device.type) for output in found] == [(torch.float32, "cpu")] * 4
    assert torch.allclose(torch.stack(found), expected, atol=1e-4)
    assert len({int(output.argmax()) for output in found}) > 1


def test_multilabel_and_labels_come_from_the_checkpoint(tmp_path: Path) -> None:
    found = load_classifier(write_automl_folder(tmp_path, multilabel=True, labels=("b", "a"), sizes=SMALL))
    prediction = found.prediction(torch.tensor([0.0, 5.0]))
    assert prediction.labels == ["b", "a"]
    assert prediction.probs == pytest.approx([0.5, 0.99330715])


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf], ids=str)
def test_outputs_that_are_not_finite_are_refused(model: Classifier, value: float) -> None:
    with pytest.raises(ModelError, match=r"not finite\. Check its weights and the precision"):
        model.prediction(torch.tensor([0.0, value, 0.0, 0.0]))


def test_settings_of_the_file_decide_over_those_of_the_checkpoint(tmp_path: Path) -> None:
    found = load_classifier(
        write_automl_folder(tmp_path, sizes=(256, 224), settings={"resize_size": 90, "crop_size": 60})
    )
    assert (found.preprocess.resize, found.preprocess.crop) == (90, 60)


def test_without_a_file_the_checkpoint_decides(tmp_path: Path) -> None:
    found = load_classifier(write_automl_folder(tmp_path, "bare", sizes=SMALL))
    assert (found.preprocess.resize, found.preprocess.crop) == SMALL
    assert found.definition.settings.sources["valid_crop_size"] == "checkpoint"


def test_warnings_are_carried_and_with_strict_refused(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path, sizes=SMALL, settings={"valid_crop_sise": 64})
    (warning,) = load_classifier(folder).definition.settings.warnings
    assert "Did you mean 'valid_crop_size'" in warning
    with pytest.raises(SettingsError, match="valid_crop_sise"):
        load_classifier(folder, strict=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="tests what happens without a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
def test_a_device_that_is_not_there_is_named(fridge_folder: Path, device: str) -> None:
    with pytest.raises(ModelError, match=rf"The device {device} does not exist: PyTorch sees 0 GPUs"):
        load_classifier(fridge_folder, device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="tests what happens without a GPU")
def test_auto_is_the_cpu_without_a_gpu(fridge_folder: Path) -> None:
    assert load_classifier(fridge_folder, device="auto").device.type == "cpu"


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("tf32", 1e-2), ("bf16", 5e-2), ("fp16", 1e-2)])
def test_a_gpu_scores_as_the_cpu_does(
    fridge_folder: Path, model: Classifier, images: list[torch.Tensor], precision: str, tolerance: float
) -> None:
    found = load_classifier(fridge_folder, device="auto", precision=precision)
    assert found.device.type == "cuda"
    with pytest.raises(ModelError, match=r"cuda:99 does not exist"):
        load_classifier(fridge_folder, device="cuda:99")
    assert_close(found, model, images, tolerance)


def assert_close(found: Classifier, expected: Classifier, images: list[torch.Tensor], tolerance: float) -> None:
    for ours, theirs in zip(found.outputs(images), expected.outputs(images), strict=True):
        assert ours.dtype == torch.float32
        assert found.prediction(ours).probs == pytest.approx(expected.prediction(theirs).probs, abs=tolerance)


def test_bf16_comes_close_to_fp32(fridge_folder: Path, model: Classifier, images: list[torch.Tensor]) -> None:
    found = load_classifier(fridge_folder, precision="bf16")
    assert_close(found, model, images, 5e-2)
    assert not torch.equal(torch.stack(found.outputs(images)), torch.stack(model.outputs(images)))


@pytest.mark.parametrize("precision", ["tf32", "fp16"])
def test_what_only_gpus_compute_is_refused_on_the_cpu(fridge_folder: Path, precision: str) -> None:
    with pytest.raises(ModelError, match=rf"{precision} needs a GPU, but the device is cpu\. Use fp32 or bf16"):
        load_classifier(fridge_folder, device="cpu", precision=precision)


def test_float32_is_multiplied_as_it_is_unless_tf32_is_asked_for(fridge_folder: Path) -> None:
    load_classifier(fridge_folder)

    def fast() -> list[bool]:
        # the code that traces networks reads these, and fails where the newer settings were used
        return [torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32]

    assert fast() == [False, False], "explanations too"
    with PRECISIONS["tf32"].applied(torch.device("cpu")):
        assert fast() == [True, True]
    assert fast() == [False, False]
    with PRECISIONS["fp32"].applied(torch.device("cpu")):
        assert fast() == [False, False]
    assert [name for name, precision in PRECISIONS.items() if precision.full] == ["fp32"]


@pytest.mark.parametrize("form", ["automl", "plain"])
def test_overwriting_the_files_afterwards_changes_nothing(
    tmp_path: Path, images: list[torch.Tensor], form: str
) -> None:
    folder = (write_automl_folder if form == "automl" else write_plain_folder)(tmp_path, sizes=SMALL)
    found = load_classifier(folder)
    before = found.outputs(images)
    for file in folder.rglob("model.*"):
        with file.open("r+b") as stream:  # in place, under a process that has the file mapped
            stream.write(bytes(file.stat().st_size))
        file.write_bytes(b"")
    for ours, theirs in zip(found.outputs(images), before, strict=True):
        assert torch.equal(ours, theirs)


def test_loading_opens_nothing_but_what_it_needs(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path, sizes=SMALL)
    # a link to nowhere cannot be opened, and an audit hook, which only a process of its own forgets, sees the attempt
    bait = folder / "mlflow-model/python_model.pkl"
    bait.unlink()
    bait.symlink_to("nowhere")
    program = f"""
import sys
opened = []
sys.addaudithook(lambda event, arguments: event == "open" and opened.append(str(arguments[0])))
from pathlib import Path
from models.loaded import load_classifier
load_classifier(Path({str(folder)!r}))
print(*sorted({{name for name in opened if name.startswith({str(folder)!r})}}), sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {Path(name).name for name in done.stdout.split()} == {"MLmodel", "model.pt", "settings.json"}


def test_different_labels_than_weights_are_refused(tmp_path: Path) -> None:
    state = seeded_network("torchvision/resnet18", 4, 64).state_dict()
    folder = write_plain_folder(tmp_path, labels=("can", "carton"), sizes=SMALL, state=state)
    with pytest.raises(ModelError, match=r"fc\.weight is \[4, 512\], expected \[2, 512\]"):
        load_classifier(folder)


def test_mid_grey_is_the_example(model: Classifier) -> None:
    assert np.array_equal(model.example(1)[0].numpy(), np.full((64, 64, 3), 128, np.uint8))


def test_examples_and_batches_are_put_together_without_threads_of_pytorch(fridge_folder: Path) -> None:
    # its threads would go on spinning while a runtime with threads of its own is timed
    program = f"""
import os
import torch
from pathlib import Path
from models.loaded import load_classifier
torch.set_num_threads(1)
model = load_classifier(Path({str(fridge_folder)!r})).with_runtime("none", lambda batch: [torch.zeros(len(batch), 4)])
threads = lambda: len(os.listdir("/proc/self/task"))
before = threads()
torch.set_num_threads(4)
model.outputs(model.example(64))
print(threads() - before)
torch.full((64, 64, 64, 3), 128)
print(threads() - before)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "3"]


def test_weights_that_are_no_numbers_are_found_at_load(tmp_path: Path) -> None:
    state = seeded_network("resnet18", 4, 64).state_dict() | {"fc.bias": torch.full((4,), torch.nan)}
    folder = write_automl_folder(tmp_path, "bare", sizes=(80, 64), state=state)
    with pytest.raises(ModelError, match="not finite"):
        load_classifier(folder)


def test_a_crop_that_a_network_cannot_see_is_found_at_load(tmp_path: Path) -> None:
    state = seeded_network("torchvision/vit_b_32", 4, 224).state_dict()
    folder = write_plain_folder(tmp_path / "vit", architecture="torchvision/vit_b_32", sizes=(256, 200), state=state)
    with pytest.raises(ModelError, match=r"cannot score a picture of 200x200 pixels.*Check valid_crop_size"):
        load_classifier(folder)
