from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from models.networks.csp_blocks import BottleneckCSP, Conv, Focus
from models.networks.yolov5 import SIZES, Detect, YoloV5, build_yolov5
from settings.model import YoloSettings
from tests.support.references.yolov5 import decoded, described
from tests.support.seeded_yolov5 import seeded_yolov5

# Of the small network: the key, and what its tensor measures
KEYS = {
    "0.conv.conv.weight": [32, 12, 3, 3],
    "0.conv.bn.running_mean": [32],
    "0.conv.bn.num_batches_tracked": [],
    "1.conv.weight": [64, 32, 3, 3],
    "1.bn.bias": [64],
    "2.cv1.conv.weight": [32, 64, 1, 1],
    "2.cv1.bn.weight": [32],
    "2.cv2.weight": [32, 64, 1, 1],
    "2.cv3.weight": [32, 32, 1, 1],
    "2.cv4.conv.weight": [64, 64, 1, 1],
    "2.bn.running_var": [64],
    "2.m.0.cv1.conv.weight": [32, 32, 1, 1],
    "2.m.0.cv2.conv.weight": [32, 32, 3, 3],
    "4.m.2.cv2.bn.weight": [64],
    "6.m.2.cv1.conv.weight": [128, 128, 1, 1],
    "7.conv.weight": [512, 256, 3, 3],
    "8.cv1.conv.weight": [256, 512, 1, 1],
    "8.cv2.conv.weight": [512, 1024, 1, 1],
    "9.m.0.cv2.conv.weight": [256, 256, 3, 3],
    "10.conv.weight": [256, 512, 1, 1],
    "13.cv1.conv.weight": [128, 512, 1, 1],
    "14.conv.weight": [128, 256, 1, 1],
    "17.cv2.weight": [64, 256, 1, 1],
    "18.conv.weight": [128, 128, 3, 3],
    "20.cv4.conv.weight": [256, 256, 1, 1],
    "21.bn.running_mean": [256],
    "23.m.0.cv1.bn.num_batches_tracked": [],
    "24.anchors": [3, 3, 2],
    "24.anchor_grid": [3, 1, 3, 1, 1, 2],
    "24.m.0.weight": [27, 128, 1, 1],
    "24.m.1.weight": [27, 256, 1, 1],
    "24.m.2.weight": [27, 512, 1, 1],
    "24.m.2.bias": [27],
}
# Of the small network: channels, and how many pixels of the input one place stands for, by layer
STAGES = [
    (32, 2),
    (64, 4),
    (64, 4),
    (128, 8),
    (128, 8),
    (256, 16),
    (256, 16),
    (512, 32),
    (512, 32),
    (512, 32),
    (256, 32),
    (256, 16),
    (512, 16),
    (256, 16),
    (128, 16),
    (128, 8),
    (256, 8),
    (128, 8),
    (128, 16),
    (256, 16),
    (256, 16),
    (256, 32),
    (512, 32),
    (512, 32),
]


def settings(size: str) -> YoloSettings:
    return YoloSettings.model_validate({"model_size": size})


def on_meta(size: str, classes: int) -> YoloV5:
    with torch.device("meta"):
        return build_yolov5(classes, settings(size)).eval()


@pytest.mark.parametrize(
    ("size", "millions"),
    [("small", 7.5), ("medium", 21.8), ("large", 47.8), ("xlarge", 89.0), ("extra_large", 89.0)],
)
def test_there_are_as_many_parameters_as_published(size: str, millions: float) -> None:
    count = sum(parameter.numel() for parameter in on_meta(size, 80).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


def test_every_size_that_settings_know_can_be_built() -> None:
    names = get_args(YoloSettings.model_fields["model_size"].annotation)
    assert len({len(on_meta(name, 1).state_dict()) for name in names}) == len(SIZES)


def test_keys_are_those_of_checkpoints() -> None:
    state = on_meta("small", 4).state_dict()
    assert {name: list(state[name].shape) for name in KEYS} == KEYS
    assert {name.partition(".")[0] for name in state} == {str(number) for number in range(25)} - {
        "11",
        "12",
        "15",
        "16",
        "19",
        "22",
    }
    for missing in ("2.cv2.bn.weight", "2.cv3.conv.weight", "2.m.1.cv1.conv.weight", "8.m.0.weight", "1.conv.bias"):
        assert missing not in state


def test_each_layer_sees_what_is_published() -> None:
    network, shapes = on_meta("small", 4), []
    for layer in list(network)[:24]:
        layer.register_forward_hook(lambda module, given, made: shapes.append(list(made.shape)))
    grids = network(torch.empty(2, 3, 128, 192, device="meta"))
    expected = [[2, channels, 128 // stride, 192 // stride] for channels, stride in STAGES]
    empty = (12, 16, 19, 22)  # layers that only name a joint
    assert shapes == [shape for number, shape in enumerate(expected) if number not in empty]
    assert [list(grid.shape) for grid in grids] == [[2, 3, 16, 24, 9], [2, 3, 8, 12, 9], [2, 3, 4, 6, 9]]


@pytest.mark.parametrize(
    ("size", "repeats"), [("small", (1, 3)), ("medium", (2, 6)), ("large", (3, 9)), ("xlarge", (4, 12))]
)
def test_larger_networks_repeat_more(size: str, repeats: tuple[int, int]) -> None:
    network: Any = on_meta(size, 4)
    few, many = repeats
    for number, expected in {2: few, 4: many, 6: many, 9: few, 13: few, 17: few, 20: few, 23: few}.items():
        assert len(network[number].m) == expected
        assert all(block.shortcut == (number < 9) for block in network[number].m)


@pytest.mark.parametrize(("joint", "last", "earlier"), [(13, 11, 6), (17, 15, 4), (20, 18, 14), (23, 21, 10)])
def test_the_layer_before_is_joined_to_an_earlier_one(joint: int, last: int, earlier: int) -> None:
    network, made, given = seeded_yolov5(), {}, []
    for number in (last, earlier):
        network[number].register_forward_hook(lambda module, _, out, number=number: made.update({number: out}))
    network[joint].register_forward_pre_hook(lambda module, args: given.append(args[0]))
    network(torch.rand(1, 3, 64, 64))
    assert torch.equal(given[0], torch.cat([made[last], made[earlier]], 1))


def test_the_network_computes_what_its_description_says() -> None:
    network, image = seeded_yolov5(), torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(4))
    random = torch.Generator().manual_seed(6)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for part, least, most in (
                (norm.running_mean, -0.2, 0.2),
                (norm.running_var, 0.7, 1.4),
                (norm.bias, -0.2, 0.2),
            ):
                assert part is not None
                part.uniform_(least, most, generator=random)
    for one, other in zip(network(image), described(network.state_dict(), image), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_focus_lists_rows_before_columns() -> None:
    given: list[Tensor] = []
    focus = Focus(1, 8, 3)
    focus.conv.register_forward_pre_hook(lambda module, args: given.append(args[0]))
    focus(torch.arange(16.0).view(1, 1, 4, 4))
    assert [part.flatten().tolist() for part in given[0][0]] == [
        [0, 2, 8, 10],
        [4, 6, 12, 14],
        [1, 3, 9, 11],
        [5, 7, 13, 15],
    ]


def test_activations_and_batch_norms_are_those_of_2020() -> None:
    network = on_meta("small", 4)
    assert all(isinstance(module.act, nn.Hardswish) for module in network.modules() if isinstance(module, Conv))
    slopes = {module.act.negative_slope for module in network.modules() if isinstance(module, BottleneckCSP)}
    assert slopes == {0.1}
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.03)}


def test_boxes_are_decoded_as_published() -> None:
    random = torch.Generator().manual_seed(5)
    head = Detect(2, (8, 8, 8))
    grids = [torch.randn(2, 3, height, width, 7, generator=random) * 3 for height, width in ((4, 6), (2, 3), (1, 2))]
    found = head.decode(grids)
    assert found.shape == (2, 3 * (24 + 6 + 2), 7)
    for number in range(2):
        rows = [row for level, grid in enumerate(grids) for row in decoded(grid[number], level)]
        torch.testing.assert_close(found[number], torch.tensor(rows), rtol=1e-5, atol=1e-4)


def test_a_box_of_raw_zeros_is_its_anchor_in_the_middle_of_its_cell() -> None:
    zeros = [torch.zeros(1, 3, side, side, 6) for side in (8, 4, 2)]
    found = Detect(1, (8, 8, 8)).decode(zeros)[0]
    assert found[0].tolist() == [4, 4, 10, 13, 0.5, 0.5]
    assert found[64 + 1].tolist() == [12, 4, 16, 30, 0.5, 0.5]  # the second anchor, one cell to the right
    assert found[-1].tolist() == [48, 48, 373, 326, 0.5, 0.5]


def test_the_anchors_of_a_checkpoint_count() -> None:
    network, state = on_meta("small", 4), seeded_yolov5(SIZES["s"]).state_dict()
    state["24.anchor_grid"] = state["24.anchor_grid"] * 2
    network.load_state_dict(state, strict=True, assign=True)
    assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))
    assert network.head.decode([torch.zeros(1, 3, 1, 1, 9)] * 3)[0, 0, :4].tolist() == [4, 4, 20, 26]


def test_an_image_gives_the_same_in_a_batch_and_alone() -> None:
    network = seeded_yolov5()
    images = torch.rand(3, 3, 96, 64, generator=torch.Generator().manual_seed(1))
    together = network.head.decode(network(images))
    for number in range(3):
        alone = network.head.decode(network(images[number : number + 1]))[0]
        torch.testing.assert_close(together[number], alone, rtol=1e-4, atol=1e-3)
    assert (together[0] - together[1]).abs().max() > 1


def test_the_head_computes_in_float32_where_the_layers_before_it_do_not() -> None:
    network, image = seeded_yolov5(), torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(4))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        maps = network.maps(image)
        grids = network(image)
    assert {values.dtype for values in maps} == {torch.bfloat16}
    for grid, expected in zip(grids, network.head([values.float() for values in maps]), strict=True):
        assert grid.dtype == torch.float32
        assert torch.equal(grid, expected)
