"""SavedModel: a folder that transformers saved, read but for its weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import ModelError
from models.huggingface.config import labels_of, network_class, transformers_config
from models.huggingface.processor import Recipe, read_recipe, verify_preprocessing
from settings.json_file import JsonFile


@dataclass(frozen=True, slots=True)
class SavedModel:
    """What a folder says of its model.

    `network` is the class of the network in the library, `config` the library's object for it, `kind` its family there,
    such as `vit`. `processor` is the library's own, `recipe` what it does.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    network: Any
    config: Any
    recipe: Recipe
    processor: Any
    processor_file: Path

    def verify_preprocessing(self, seen: Callable[[Image.Image], NDArray[np.float32]]) -> None:
        """Compare what a network is going to see of a picture with what the processor makes of it; ModelError."""
        verify_preprocessing(self.processor_file, self.processor, seen)


def saved_model(file: JsonFile, processor: JsonFile | None) -> SavedModel:
    """Resolve a config.json and a preprocessor_config.json of transformers; ModelError where they describe no model."""
    described = transformers_config(file)
    if processor is None:
        raise ModelError(
            f"{file.path.parent} holds no preprocessor_config.json, so how pictures are prepared for "
            f"{described.network} is not known. Save the image processor there too, with save_pretrained."
        )
    config = described.loaded()
    recipe, loaded = read_recipe(processor, config)
    labels = labels_of(config, file.path)
    kind = network_class(described)
    return SavedModel(described.name, described.kind, labels, kind, config, recipe, loaded, processor.path)


def only_saved(name: str) -> Any:
    """Raise ModelError: no name alone says enough of a network of transformers to build it."""
    raise ModelError(
        f"The architecture {name!r} is built as a config.json of transformers describes it, and none lies beside the "
        "weights. Copy the whole folder that save_pretrained wrote."
    )
