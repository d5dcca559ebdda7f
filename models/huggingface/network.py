"""Networks of transformers: built from their configuration, with tensors that were read here.

The library itself renames the tensors of older versions, and computes buffers that no file holds.
"""

import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.architecture.building import refuse_misfits
from models.errors import ModelError, first_line

logger = logging.getLogger(__name__)

_COUNTERS = "num_batches_tracked"  # of batch norms, which scoring does not need


class Outputs(nn.Module):
    """A network that maps one tensor to some of its named outputs.

    Takes float32 [N, 3, H, W]. With `masked`, a fourth channel is 1 in the image and 0 in the padding.
    """

    def __init__(self, network: nn.Module, *names: str, masked: bool = False) -> None:
        super().__init__()
        self.network = network
        self._names = names
        self._masked = masked and "pixel_mask" in inspect.signature(network.forward).parameters

    def forward(self, inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the output, or a tuple of several."""
        if torch.is_inference_mode_enabled():
            # the library keeps some values for later passes, which may need gradients
            with torch.inference_mode(False), torch.no_grad():
                return self._outputs(inputs)
        return self._outputs(inputs)

    def _outputs(self, inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        mask = {"pixel_mask": inputs[:, 3].long()} if self._masked else {}
        outputs = self.network(pixel_values=inputs[:, :3], **mask)
        named = tuple(outputs[name] for name in self._names)
        return named[0] if len(named) == 1 else named


def load_network(kind: Any, config: Any, state: Mapping[str, Tensor], file: Path) -> nn.Module:
    """Build a network of the class `kind` with the tensors of `state` as its weights, in float32.

    ModelError names missing and wrongly shaped tensors of `file`; tensors without a place are logged.
    """
    # copied, as the file is mapped into memory: overwriting it would change or kill a running server
    owned = {name: tensor.clone() for name, tensor in state.items()}
    try:
        network, report = kind.from_pretrained(
            None,
            config=config,
            state_dict=owned,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
        )
    except Exception as error:  # a configuration that fits no network raises almost any type
        raise ModelError(f"{file}: transformers cannot build {kind.__name__}: {first_line(error)}") from None
    wrong = [f"{name} is {list(given)}, expected {list(wanted)}" for name, given, wanted in report["mismatched_keys"]]
    missing = [name for name in report["missing_keys"] if not name.endswith(_COUNTERS)]
    refuse_misfits(file, {"missing": sorted(missing), "of another shape": sorted(wrong)})
    unused = sorted(name for name in report["unexpected_keys"] if not name.endswith(_COUNTERS))
    if unused:
        shown = ", ".join(unused[:3]) + (", ..." if len(unused) > 3 else "")
        logger.warning(
            "%s: %d tensors have no place in %s and are not used: %s", file, len(unused), kind.__name__, shown
        )
    loaded: nn.Module = network
    return loaded
