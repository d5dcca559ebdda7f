"""Guidance: the backward rule of guided backpropagation (https://arxiv.org/abs/1412.6806), without touching a network.

While a thread is inside a Guidance, our own autograd function computes its ReLUs, whether they are modules or
functions. Nothing is hooked, replaced or shared, so other threads may run the same network at the same time.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_RELUS = {functional.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
_IN_PLACE = {torch.relu_, Tensor.relu_}  # callers may ignore the return value


class Guidance(TorchFunctionMode):
    """Guides the ReLUs of one forward pass, which runs inside `with Guidance() as guidance`.

    Later backward passes through them also stop negative gradients while `on` is true. While it is false they are the
    ordinary ones, so one forward pass serves both kinds. `guided_relus` counts the ReLUs whose inputs need gradients:
    others guide nothing, for example those on position embeddings, which are the same for every image.
    """

    def __init__(self, *, relu6: bool = True) -> None:
        super().__init__()
        self.on = False
        self.guided_relus = 0
        self._relu6 = relu6

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Compute `func` of `args`, guided if it is a ReLU."""
        kwargs = kwargs or {}
        ceiling = self._ceiling(func, args, kwargs)
        if ceiling is None:
            return func(*args, **kwargs)
        inputs = args[0] if args else kwargs["input"]
        self.guided_relus += inputs.requires_grad
        result = _GuidedReLU.apply(inputs, ceiling, self)
        return inputs.copy_(result) if func in _IN_PLACE else result

    def _ceiling(self, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> float | None:
        """Return the upper bound of a ReLU, or None for any other function."""
        if func in _RELUS:
            return float("inf")
        if not self._relu6:
            return None
        if func is functional.relu6:
            return 6.0
        if func is functional.hardtanh:  # what nn.ReLU6 calls
            bounds = dict(zip(("min_val", "max_val"), args[1:3], strict=False)) | dict(kwargs)
            return float(bounds.get("max_val", 1)) if bounds.get("min_val") == 0 else None
        return None


class _GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, ceiling: float, guidance: Guidance) -> Tensor:
        ctx.guidance = guidance
        ctx.save_for_backward((inputs > 0) & (inputs < ceiling))
        return inputs.clamp(0, ceiling)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (passed,) = ctx.saved_tensors
        (gradient,) = gradients
        return (gradient.clamp_min(0) if ctx.guidance.on else gradient) * passed, None, None


def guidance_note(guided_relus: int) -> tuple[str, ...]:
    """Return a note if nothing was guided."""
    return () if guided_relus else ("This network has no ReLU to guide: these are plain gradients.",)
