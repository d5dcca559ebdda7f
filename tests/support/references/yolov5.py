"""yolov5 once more, slowly: from the published tables and formulas, a function a step, to hold the product against."""

import math

import torch
from torch import Tensor
from torch.nn import functional


def decoded(grid: Tensor, level: int) -> list[list[float]]:
    """Decode [3, h, w, values] by the published formula, a number at a time."""
    stride = (8, 16, 32)[level]
    anchors = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]][level]
    rows = []
    for anchor in range(3):
        for y in range(grid.shape[1]):
            for x in range(grid.shape[2]):
                share = [1 / (1 + math.exp(-value)) for value in grid[anchor, y, x].tolist()]
                rows.append(
                    [
                        (2 * share[0] - 0.5 + x) * stride,
                        (2 * share[1] - 0.5 + y) * stride,
                        (2 * share[2]) ** 2 * anchors[2 * anchor],
                        (2 * share[3]) ** 2 * anchors[2 * anchor + 1],
                        *share[4:],
                    ]
                )
    return rows


def described(state: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """Compute the grids from the published table of layers, in plain functions of the checkpoint's tensors."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (
            state[f"{name}.{part}"].view(-1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 0.001).sqrt() * weight + bias

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.conv.weight"]
        x = norm(functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2), f"{name}.bn")
        return x * (x + 3).clamp(0, 6) / 6

    def csp(x: Tensor, name: str, shortcut: bool) -> Tensor:
        through, number = conv(x, f"{name}.cv1"), 0
        while f"{name}.m.{number}.cv1.conv.weight" in state:
            inner = conv(conv(through, f"{name}.m.{number}.cv1"), f"{name}.m.{number}.cv2")
            through, number = through + inner if shortcut else inner, number + 1
        through = functional.conv2d(through, state[f"{name}.cv3.weight"])
        both = norm(torch.cat([through, functional.conv2d(x, state[f"{name}.cv2.weight"])], 1), f"{name}.bn")
        return conv(torch.where(both > 0, both, 0.1 * both), f"{name}.cv4")

    def spp(x: Tensor, name: str) -> Tensor:
        x = conv(x, f"{name}.cv1")
        pooled = [functional.max_pool2d(x, side, 1, side // 2) for side in (5, 9, 13)]
        return conv(torch.cat([x, *pooled], 1), f"{name}.cv2")

    def doubled(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    x = torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)
    x = csp(conv(conv(x, "0.conv"), "1", 2), "2", True)
    fine = csp(conv(x, "3", 2), "4", True)
    middle = csp(conv(fine, "5", 2), "6", True)
    coarse = conv(csp(spp(conv(middle, "7", 2), "8"), "9", False), "10")
    wide = conv(csp(torch.cat([doubled(coarse), middle], 1), "13", False), "14")
    eighths = csp(torch.cat([doubled(wide), fine], 1), "17", False)
    sixteenths = csp(torch.cat([conv(eighths, "18", 2), wide], 1), "20", False)
    last = csp(torch.cat([conv(sixteenths, "21", 2), coarse], 1), "23", False)
    grids = []
    for level, x in enumerate((eighths, sixteenths, last)):
        raw = functional.conv2d(x, state[f"24.m.{level}.weight"], state[f"24.m.{level}.bias"])
        grids.append(raw.view(len(raw), 3, -1, *raw.shape[2:]).movedim(2, -1))
    return grids
