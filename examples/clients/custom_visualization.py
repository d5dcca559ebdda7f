"""An explanation drawn by the client: captum's drawing of the attributions in a reply.

python -m examples.clients.custom_visualization IMAGE OUTPUT.png [--algorithm NAME] [--method NAME] [--sign NAME]
"""

import sys
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
from captum.attr import visualization
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

from examples.clients.explanations import explain, maps_of
from examples.clients.request import RequestError, arguments_of, get, read, run

_METHODS = ("blended_heat_map", "heat_map", "masked_image", "alpha_scaling")
_SIGNS = ("positive", "absolute_value", "negative", "all")


def sizes_of(url: str, deployment: str | None = None) -> tuple[int, int]:
    """Return the pixels to which the model resizes the shorter side of an image, and the side of its centre crop.

    RequestError where there are several models and none is named.
    """
    names = [deployment] if deployment else get(f"{url}/v1/models")["models"]
    if len(names) != 1:
        raise RequestError(f"There are {len(names)} models: {', '.join(names)}. Name one with --deployment.")
    parameters = get(f"{url}/v2/models/{urllib.parse.quote(names[0], safe='')}")["parameters"]
    return parameters["valid_resize_size"], parameters["valid_crop_size"]


def seen(image: Path, sizes: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the pixels that a network of AutoML for Images sees, uint8 [crop, crop, 3], one for each attribution."""
    resize, crop = sizes
    with Image.open(image) as opened:
        return np.asarray(Compose([Resize(resize), CenterCrop(crop)])(opened.convert("RGB")))


def draw(values: NDArray[np.float64], pixels: NDArray[np.uint8], title: str, method: str, sign: str) -> Any:
    """Return a figure of matplotlib; `values` are float64 [3, H, W], `pixels` uint8 [H, W, 3].

    RequestError where there is nothing to draw, such as no value of that sign.
    """
    options = {"method": method, "sign": sign, "title": title, "show_colorbar": method != "masked_image"}
    try:
        figure, _ = visualization.visualize_image_attr(values.transpose(1, 2, 0), pixels, use_pyplot=False, **options)
    except (AssertionError, ValueError) as error:
        raise RequestError(f"captum cannot draw this explanation: {error}") from None
    return figure


def main(arguments: list[str] | None = None) -> int:
    """Explain an image, draw the explanation and write the file; return 0, or 1 after an error."""
    parser = arguments_of(__doc__)
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="where to write, such as why.png")
    parser.add_argument("--algorithm", default="xrai", help="how to explain (default: %(default)s)")
    parser.add_argument("--method", choices=_METHODS, default=_METHODS[0], help="what to draw (default: %(default)s)")
    parser.add_argument("--sign", choices=_SIGNS, default=_SIGNS[0], help="which values count (default: %(default)s)")
    options = parser.parse_args(arguments)
    parameters = {"xai_algorithm": options.algorithm, "visualizations": False, "attributions": True}

    def work() -> None:
        row = explain(options.url, read(options.image), parameters, options.key, options.deployment)
        if not row["explanations"]:  # a multilabel model may find no label likely enough
            raise RequestError("No label of this image was explained.")
        why = row["explanations"][0]
        pixels = seen(options.image, sizes_of(options.url, options.deployment))
        title = f"{why['label']} {why['confidence']:.4f}, {why['xai_algorithm']}"
        figure = draw(maps_of(row)[0], pixels, title, options.method, options.sign)
        try:
            figure.savefig(options.output)
        except ValueError as error:  # the file name ends like no image format
            raise RequestError(f"{options.output} cannot be written: {error}.") from None
        print(f"{options.output}: {title}")

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
