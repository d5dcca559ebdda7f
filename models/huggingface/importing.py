"""Imports transformers, an extra, for the folders that it saved: offline, and silent but for errors.

It takes some seconds to import, which the engines of other models are spared.
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
    # timm may have imported the client of the hub, and with it the answer to whether it may use the network
    constants = importlib.import_module("huggingface_hub.constants")
    for name in _OFFLINE:
        setattr(constants, name, True)
    transformers = importlib.import_module("transformers")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers
