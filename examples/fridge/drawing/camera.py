"""What a camera does to a scene: colour and falloff of the light, blur, and the grain of the sensor."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from examples.fridge.drawing.palette import Floats


def photograph(rng: np.random.Generator, scene: Floats) -> NDArray[np.uint8]:
    """Return the scene (H, W, 3) float32 in [0, 1] as a camera would store it, uint8 in [0, 255]."""
    height, width = scene.shape[:2]
    right = np.linspace(-1, 1, width, dtype=np.float32)
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    slope, vignette = rng.uniform(-0.14, 0.14, 2).astype(np.float32), np.float32(rng.uniform(0.0, 0.2))
    falloff = 1.0 + slope[0] * right + slope[1] * down - vignette * (right**2 + down**2) / 2
    cast = (rng.uniform(0.86, 1.14) * (1.0 + rng.normal(0.0, 0.05, 3))).astype(np.float32)
    exposed = np.clip(scene * (255 * falloff[..., None] * cast), 0.0, 255.0).astype(np.uint8)
    gamma = rng.uniform(0.75, 1.2)
    curve = [round(255 * (level / 255) ** gamma) for level in range(256)]
    image = Image.fromarray(exposed, "RGB").point(curve * 3)
    blur = max(0.0, rng.uniform(-0.0015, 0.0035)) * height
    if blur > 0.2:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * np.float32(rng.uniform(0.0, 6.0))
    return np.clip(np.asarray(image, dtype=np.float32) + grain, 0, 255).astype(np.uint8)
