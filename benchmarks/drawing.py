"""What each visualization costs, in time of one core and in bytes: python -m benchmarks.drawing.

The attributions are the blurred mask of an object in a drawn scene. The second column adds noise like that of a
gradient, which PNG compresses worst.
"""

import time

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from examples.fridge.scene import draw_scene
from explain.rendering.attribution_image import AttributionImage, FullImage, Style
from explain.rendering.drawing import draw
from explain.request.parameter_types import visualization_names

_SIDE, _REPEATS = 224, 15


def _attributions() -> tuple[AttributionImage, AttributionImage]:
    scene = draw_scene(3, size=(640, 480), count=1)
    box = (80, 0, 560, 480)
    mask = Image.fromarray(scene.objects[0].mask.astype(np.uint8) * 255).crop(box).resize((_SIDE, _SIDE))
    smooth: NDArray[np.float32] = np.asarray(mask.filter(ImageFilter.GaussianBlur(9)), dtype=np.float32)
    noise = np.random.default_rng(0).normal(0.3, 1, (3, _SIDE, _SIDE)).astype(np.float32)
    cropped = np.asarray(Image.fromarray(scene.image).crop(box).resize((_SIDE, _SIDE)))
    whole = FullImage(scene.image, box)
    label = scene.objects[0].label
    return (
        AttributionImage(cropped, smooth, label, 0.9987, "xrai", whole),
        AttributionImage(cropped, noise * (smooth + 20), label, 0.9987, "integrated_gradients", whole),
    )


def _measured(image: AttributionImage, style: Style) -> str:
    draw(image, style)  # loads the colours and the typeface
    times = []
    for _ in range(_REPEATS):
        started = time.thread_time()
        png = draw(image, style)
        times.append(time.thread_time() - started)
    return f"{1000 * min(times):6.1f} ms {len(png) / 1000:6.0f} kB"


if __name__ == "__main__":
    smooth, noisy = _attributions()
    for name in visualization_names():
        for style in (Style(name), Style(name, extent="picture"), Style(name, captions=False)):
            if name == "grid" and not style.captions:
                continue
            what = f"{name:<10} {style.extent:<8} {'captions' if style.captions else 'bare':<9}"
            print(what, _measured(smooth, style), _measured(noisy, style))
