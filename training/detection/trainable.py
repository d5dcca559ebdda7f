"""Makes a detector that was built for scoring trainable: batch norms that learn, layers that do not.

Whoever trains from random weights needs batch norms that learn. Whoever starts from weights for photographs has few
images in a batch, whose statistics would harm more than help: as in torchvision and AutoML for Images, batch norms then
stay as they are. Either way the tensors are saved as those of frozen ones.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

# Of the running statistics in the long run: batches are small, so many of them are averaged
_MOMENTUM = 0.03
# From this share of the training on, batch norms stay as they are, and the other layers get used to that
NORMS_LEARN_UNTIL = 0.8


def freeze_layers(network: nn.Module, prefixes: Sequence[str]) -> None:
    """Keep the parameters as they are whose names begin like this, and let all others learn."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(prefixes)))


def learn_norms(network: nn.Module, kept: Sequence[str] = ()) -> list[nn.BatchNorm2d]:
    """Replace frozen batch norms of a network in place by ones that learn, and return these.

    Those whose names begin like one of `kept` stay frozen.
    """
    found = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, FrozenBatchNorm2d) and not f"{name}.".startswith(tuple(kept))
    ]
    norms = []
    for name, frozen in found:
        norm = nn.BatchNorm2d(len(frozen.weight), eps=frozen.eps, momentum=1.0)
        norm.load_state_dict(frozen.state_dict(), strict=False)  # it has no counter of steps
        above, _, last = name.rpartition(".")
        setattr(network.get_submodule(above), last, norm)
        norms.append(norm)
    return norms


def hold_norms(norms: Sequence[nn.BatchNorm2d], progress: float) -> None:
    """Prepare batch norms for a step: their statistics stop near the end of a training.

    At its start they are the mean of all batches so far, since those of an untrained network would make it explode.
    """
    if norms and (norms[0].momentum or 0) > _MOMENTUM:
        assert norms[0].num_batches_tracked is not None
        momentum = max(_MOMENTUM, 1 / (int(norms[0].num_batches_tracked) + 1))
        for norm in norms:
            norm.momentum = momentum
    for norm in norms:
        norm.train(progress < NORMS_LEARN_UNTIL)


def saved_state(network: nn.Module) -> dict[str, Tensor]:
    """Return copies of the tensors of a network, on the CPU, as those of a network with frozen batch norms."""
    return dict(_saved(network))


@torch.no_grad()
def _saved(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            yield name, tensor.detach().to("cpu", copy=True).contiguous()
