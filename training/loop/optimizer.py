"""Optimizer: the parameters in groups with and without weight decay, and the optimizer that a job names."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

# Embeddings of positions and of the class token, which the hosted trainer never trains
_UNDECAYED = ("cls_token", "pos_embed", "dist_token")


def build_optimizer(network: nn.Module, hyperparameters: Any, learning_rate: float) -> torch.optim.Optimizer:
    """Return the optimizer of the parameters of `network` that require gradients."""
    groups: list[dict[str, Any]] = parameter_groups(network, hyperparameters.weight_decay)
    fused = all(parameter.device.type in ("cpu", "cuda") for parameter in network.parameters())
    if hyperparameters.optimizer == "sgd":
        return torch.optim.SGD(
            groups,
            learning_rate,
            momentum=hyperparameters.momentum,
            nesterov=hyperparameters.nesterov and hyperparameters.momentum > 0,
            fused=fused,
        )
    kind: Any = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[hyperparameters.optimizer]
    betas = (hyperparameters.beta1, hyperparameters.beta2)
    optimizer: torch.optim.Optimizer = kind(
        groups, learning_rate, betas=betas, amsgrad=hyperparameters.amsgrad, fused=fused
    )
    return optimizer


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Divide the parameters that require gradients: biases, batch norms and embeddings of positions do not decay."""
    norms = {id(one) for module in network.modules() if isinstance(module, _BatchNorm) for one in module.parameters()}
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        last = name.rpartition(".")[2]
        plain = last == "bias" or last in _UNDECAYED or id(parameter) in norms
        (others if plain else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a state; its tensors get the memory layout of their parameters, which fused optimizers rely on."""
    optimizer.load_state_dict(state)
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                values[name] = torch.empty_like(parameter, memory_format=torch.preserve_format).copy_(value)


def clip(parameters: list[nn.Parameter], kind: str) -> None:
    """Bound gradients as the hosted trainer does: each value by 5, or their norm by 1."""
    if kind == "value":
        nn.utils.clip_grad_value_(parameters, 5.0)
    elif kind == "norm":
        nn.utils.clip_grad_norm_(parameters, 1.0)
