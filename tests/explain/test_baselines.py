from typing import get_args

import pytest
import torch

from explain.integration.baselines import baseline_inputs, baseline_pixels
from explain.request.parameter_types import BaselineName
from explain.request.targets import predicted_target
from tests.support.explain_networks import SIDE, inputs, pixels, seeded_executor

NAMES: tuple[BaselineName, ...] = get_args(BaselineName)


@pytest.mark.parametrize("name", NAMES)
def test_baselines_are_images_that_the_network_could_see(name: BaselineName) -> None:
    image = seeded_executor().explained_image(pixels(), predicted_target)
    values = baseline_pixels(name, image)
    assert values.shape == (SIDE, SIDE, 3)
    assert values.dtype == torch.float32
    assert 0 <= float(values.min()) <= float(values.max()) <= 255
    torch.testing.assert_close(baseline_inputs(name, image), image.normalise(values), atol=1e-5, rtol=0)
    assert torch.equal(values, baseline_pixels(name, image)), "normalising works on a copy"
    assert torch.equal(image.pixels, pixels())
    assert torch.equal(image.inputs, inputs()[0])


def test_what_the_names_mean() -> None:
    executor = seeded_executor()
    picture = pixels()
    picture[0, 0, 1], picture[1, 1, 2] = 0, 255
    picture.clamp_(3, 250)
    image = executor.explained_image(picture, predicted_target)
    for name, value in {"black": 0, "white": 255, "image_min": 3, "image_max": 250}.items():
        assert (baseline_pixels(name, image) == value).all()  # type: ignore[arg-type]
    assert not baseline_inputs("mean", image).any()

    blurred = baseline_pixels("blur", image)
    assert blurred.std() < 0.9 * picture.float().std()
    assert blurred.mean() == pytest.approx(float(picture.float().mean()), abs=3)

    noise = baseline_pixels("noise", image, 1)
    assert noise.std() == pytest.approx(255 / 12**0.5, rel=0.02)
    assert not torch.equal(noise, baseline_pixels("noise", image, 2))
