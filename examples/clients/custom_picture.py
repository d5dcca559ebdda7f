"""An explanation drawn on the client's side: the numbers of a reply as captum draws attributions.

python -m examples.clients.custom_picture PICTURE OUTPUT.png [--algorithm NAME] [--method NAME] [--sign NAME]
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
    """Ask to how many pixels the shorter side of a picture is resized, and how many are left of both by the crop.

    RequestError where there are several models and none is named.
    """
    names = [deployment] if deployment else get(f"{url}/v1/models")["models"]
    if len(names) != 1:
        raise RequestError(f"There are {len(names)} models: {', '.join(names)}. Name one with --deployment.")
    parameters = get(f"{url}/v2/models/{urllib.parse.quote(names[0], safe='')}")["parameters"]
    return parameters["valid_resize_size"], parameters["valid_crop_size"]


def seen(picture: Path, sizes: tuple[int, int]) -> NDArray[np.uint8]:
    """Return what a network of AutoML for Images sees of a picture, uint8 [crop, crop, 3]: attributions are of that."""
    resize, crop = sizes
    with Image.open(picture) as opened:
        return np.asarray(Compose([Resize(resize), CenterCrop(crop)])(opened.convert("RGB")))


def draw(values: NDArray[np.float64], pixels: NDArray[np.uint8], title: str, method: str, sign: str) -> Any:
    """Return a figure of matplotlib; `values` are float64 [3, H, W], `pixels` uint8 [H, W, 3].

    RequestError where there is nothing to draw, as of a map without a value of that sign.
    """
    options = {"method": method, "sign": sign, "title": title, "show_colorbar": method != "masked_image"}
    try:
        figure, _ = visualization.visualize_image_attr(values.transpose(1, 2, 0), pixels, use_pyplot=False, **options)
    except (AssertionError, ValueError) as error:
        raise RequestError(f"captum cannot draw this explanation: {error}") from None
    return figure


def main(arguments: list[str] | None = None) -> int:
    """Explain a picture, draw why and write the file; returns 0, or 1 where that cannot be."""
    parser = arguments_of(__doc__)
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="where to write, such as why.png")
    parser.add_argument("--algorithm", default="xrai", help="how to explain (default: %(default)s)")
    parser.add_argument("--method", choices=_METHODS, default=_METHODS[0], help="what to draw (default: %(default)s)")
    parser.add_argument("--sign", choices=_SIGNS, default=_SIGNS[0], help="which values count (default: %(default)s)")
    options = parser.parse_args(arguments)
    parameters = {"xai_algorithm": options.algorithm, "visualizations": False, "attributions": True}

    def work() -> None:
        row = explain(options.url, read(options.picture), parameters, options.key, options.deployment)
        if not row["explanations"]:  # of several labels at once none may be likely enough
            raise RequestError("No label of this picture was explained.")
        why = row["explanations"][0]
        pixels = seen(options.picture, sizes_of(options.url, options.deployment))
        title = f"{why['label']} {why['confidence']:.4f}, {why['xai_algorithm']}"
        figure = draw(maps_of(row)[0], pixels, title, options.method, options.sign)
        try:
            figure.savefig(options.output)
        except ValueError as error:  # of a file that is called like no picture
            raise RequestError(f"{options.output} cannot be written: {error}.") from None
        print(f"{options.output}: {title}")

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
