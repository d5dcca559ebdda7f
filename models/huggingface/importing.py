"""Imports transformers, an extra, for the folders that it saved: offline, and without any output but errors.

The import takes some seconds, so engines of other models leave it out.
"""

import importlib
import os
from importlib.util import find_spec
from typing import Any

from models.errors import ModelError

_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def import_transformers() -> Any:
    """Return the package; ModelError where it is not installed."""
    if find_spec("transformers") is None:
        raise ModelError(
            "This folder was saved by transformers, which is not installed: pip install 'transformers>=5.24'."
        )
    os.environ.update(_OFFLINE)
    # timm may have imported the client of the hub, which has read the variables by then
    constants = importlib.import_module("huggingface_hub.constants")
    for name in _OFFLINE:
        setattr(constants, name, True)
    transformers = importlib.import_module("transformers")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers
