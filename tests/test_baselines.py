from typing import get_args

import pytest
import torch

from explain.integration.baselines import baseline, start
from explain.network.explained_image import highest
from explain.request.parameter_types import BaselineName
from tests.explaining import SIDE, inputs, passes_through, pixels

NAMES: tuple[BaselineName, ...] = get_args(BaselineName)


@pytest.mark.parametrize("name", NAMES)
def test_baselines_are_pictures_that_the_network_could_see(name: BaselineName) -> None:
    subject = passes_through().subject(pixels(), highest)
    values = baseline(name, subject)
    assert values.shape == (SIDE, SIDE, 3)
    assert values.dtype == torch.float32
    assert 0 <= float(values.min()) <= float(values.max()) <= 255
    torch.testing.assert_close(start(name, subject), subject.normalise(values), atol=1e-5, rtol=0)
    assert torch.equal(values, baseline(name, subject)), "normalising works on a copy"
    assert torch.equal(subject.picture, pixels())
    assert torch.equal(subject.inputs, inputs()[0])


def test_what_the_names_mean() -> None:
    passes = passes_through()
    picture = pixels()
    picture[0, 0, 1], picture[1, 1, 2] = 0, 255
    picture.clamp_(3, 250)
    subject = passes.subject(picture, highest)
    for name, value in {"black": 0, "white": 255, "image_min": 3, "image_max": 250}.items():
        assert (baseline(name, subject) == value).all()  # type: ignore[arg-type]
    assert not start("mean", subject).any()

    blurred = baseline("blur", subject)
    assert blurred.std() < 0.9 * picture.float().std()
    assert blurred.mean() == pytest.approx(float(picture.float().mean()), abs=3)

    noise = baseline("noise", subject, 1)
    assert noise.std() == pytest.approx(255 / 12**0.5, rel=0.02)
    assert not torch.equal(noise, baseline("noise", subject, 2))
