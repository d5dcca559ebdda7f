"""LoadedModel: a model folder brought to a device, ready to score."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models.definition import Definition, define
from models.errors import ModelError
from models.folder import ModelFolder
from models.images import ImageLimits, decode
from models.predictions import Prediction
from models.preprocess import Preprocess
from models.registry import verify
from models.weights import build_network

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network with everything around it. Safe to use from several threads; it holds no state of its own."""

    definition: Definition
    network: nn.Module
    device: torch.device
    dtype: torch.dtype

    @property
    def preprocess(self) -> Preprocess:
        """The sizes and statistics of the pictures this network sees."""
        return self.definition.preprocess

    @property
    def pixels(self) -> int:
        """The pixels of one network input, the unit that batches are measured in."""
        return self.preprocess.crop**2

    def picture(self, data: bytes | memoryview, limits: ImageLimits) -> Tensor:
        """Decode and crop: uint8 [crop, crop, 3] in [0, 255] on the CPU. Raises ImageError."""
        return self.preprocess.picture(decode(data, limits))

    def example(self, count: int) -> list[Tensor]:
        """Return `count` pictures of mid grey, for warm-up and probes."""
        side = self.preprocess.crop
        return [torch.full((side, side, 3), 128, dtype=torch.uint8) for _ in range(count)]

    def outputs(self, pictures: Sequence[Tensor]) -> list[Tensor]:
        """Run one batch: uint8 [crop, crop, 3] each -> the logits of each, float32 [C] on the CPU."""
        with torch.inference_mode(), self._autocast():
            batch = torch.stack(tuple(pictures)).to(self.device)
            logits: Tensor = self.network(self.preprocess.inputs(batch))
            return list(logits.float().cpu())

    def prediction(self, output: Tensor) -> Prediction:
        """Turn one picture's output into a prediction; ModelError where the network computed no numbers."""
        if not torch.isfinite(output).all():
            raise ModelError("The network computed values that are not finite. Check its weights and the precision.")
        return self.definition.task.prediction(output, self.definition.labels)

    def prove(self) -> None:
        """Score an example; ModelError where the network cannot see pictures of this size or computes no numbers."""
        try:
            output = self.outputs(self.example(1))[0]
        except (RuntimeError, ValueError, AssertionError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            side = self.preprocess.crop
            raise ModelError(
                f"The network {self.definition.architecture.name} cannot score a picture of {side}x{side} pixels: "
                f"{reason.rstrip('.')}. Check valid_crop_size."
            ) from error
        self.prediction(output)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)


def load(path: Path, *, device: str = "cpu", precision: str = "fp32", strict: bool = False) -> LoadedModel:
    """Open the model folder `path` and bring it to a device.

    `device` is "cpu", "cuda", "cuda:N", or "auto" for a GPU if there is one. A registered folder's
    hashes are verified first, and an example is scored. ModelError or SettingsError where it cannot be served.
    """
    folder = ModelFolder.open(path)
    verify(folder)
    definition, state = define(folder, strict=strict)
    network = build_network(
        definition.architecture, len(definition.labels), definition.preprocess.crop, state, folder.weights
    )
    target = _device(device)
    if precision == "fp16" and target.type == "cpu":
        raise ModelError("Precision fp16 needs a GPU, but the device is cpu. Use fp32 or bf16.")
    network = network.to(target).to(memory_format=torch.channels_last)
    loaded = LoadedModel(definition, network, target, DTYPES[precision])
    loaded.prove()
    return loaded


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not name.startswith("cuda"):
        return torch.device(name)
    count = torch.cuda.device_count()
    device = torch.device(name)
    if (device.index or 0) >= count:
        raise ModelError(f"The device {name} does not exist: PyTorch sees {count} GPUs. Use cpu, or mend the driver.")
    return device
