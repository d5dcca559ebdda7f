"""The camera height and light of a scene, which all its objects share."""

from dataclasses import dataclass

import numpy as np

from examples.fridge.drawing.palette import Floats


@dataclass(frozen=True, slots=True)
class View:
    """A camera height and one soft light.

    elevation: short axis over long axis of a level circle as the camera sees it, in [0, 1).
    light: unit vector towards the light; x to the right, y up, z towards the viewer.
    ambient: share of the light that comes from everywhere, in [0, 1].
    """

    elevation: float
    light: tuple[float, float, float]
    ambient: float


def choose_view(rng: np.random.Generator) -> View:
    """Return a random view: from nearly level to looking down a little, lit from either side."""
    towards = np.array([rng.uniform(-1.0, 1.0), rng.uniform(0.35, 0.9), rng.uniform(0.5, 1.0)])
    x, y, z = (float(part) for part in towards / np.linalg.norm(towards))
    return View(elevation=rng.uniform(0.08, 0.3), light=(x, y, z), ambient=rng.uniform(0.42, 0.68))


def facing(view: View, x: Floats, y: Floats, z: Floats) -> Floats:
    """Return the brightness in [0, 1.15] of a matt surface whose unit normals are (x, y, z), any shape."""
    light_x, light_y, light_z = view.light
    direct = np.maximum(x * light_x + y * light_y + z * light_z, 0.0)
    return np.asarray(view.ambient + (1.15 - view.ambient) * direct, dtype=np.float32)
