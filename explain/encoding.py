"""Encodes attributions for JSON: nested lists as in the hosted original, or files that are a tenth as large.

- `list`: the original's form, with float32's exact values
- `npy_base64`: an .npy file of float32 in base64
- `png16`: {"png_base64": a greyscale PNG of 16 bits, "scale": ..., "offset": ..., "shape": ...}. A value is
  pixel * scale + offset, exact to half a scale. Three channels stand one below the other in the image, [3 * H, W].
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.errors import ExplanationError
from explain.rendering.png import encode_grey16
from explain.request.parameter_types import AttributionsChannels, AttributionsFormat

Values = NDArray[np.float32]


def encode(values: Values, form: AttributionsFormat, channels: AttributionsChannels) -> Any:
    """Encode attributions, float32 [3, H, W] or [H, W], as a JSON value.

    With 3 channels, they become [3, H, W], and a map without colours is repeated. With 1, they become [H, W], the sum
    over the colours.
    Raises ExplanationError, code `attribution_invalid`, for NaN and infinite values, which JSON cannot express.
    """
    if not np.isfinite(values).all():
        raise ExplanationError("attribution_invalid", "The attribution holds values that are no finite numbers.")
    return _FORMS[form](_shaped(np.asarray(values, dtype=np.float32), channels))


def _shaped(values: Values, channels: AttributionsChannels) -> Values:
    if channels == 1:
        return values.sum(axis=0) if values.ndim == 3 else values
    return values if values.ndim == 3 else np.broadcast_to(values, (3, *values.shape))


def _npy(values: Values) -> str:
    stream = BytesIO()
    np.save(stream, np.ascontiguousarray(values), allow_pickle=False)
    return b64encode(stream.getvalue()).decode("ascii")


def _png16(values: Values) -> dict[str, Any]:
    exact = values.astype(np.float64)
    low, high = float(exact.min()), float(exact.max())
    scale = (high - low) / 65535 or 1.0
    pixels = ((exact - low) / scale).round().astype(np.uint16).reshape(-1, values.shape[-1])
    png = b64encode(encode_grey16(pixels)).decode("ascii")
    return {"png_base64": png, "scale": scale, "offset": low, "shape": list(values.shape)}


_FORMS: Mapping[AttributionsFormat, Callable[[Values], Any]] = {
    "list": np.ndarray.tolist,
    "npy_base64": _npy,
    "png16": _png16,
}
