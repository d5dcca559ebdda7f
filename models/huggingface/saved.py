"""SavedModel: a folder that transformers saved, resolved except for its weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import ModelError
from models.huggingface.config import labels_of, network_class, transformers_config
from models.huggingface.processor_spec import ProcessorSpec, processor_spec, verify_preprocessing
from settings.json_file import JsonFile


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model as its folder describes it.

    `network` is the class of the network in the library, `config` the library's object for it, and `kind` its family,
    such as `vit`. `labels` are as the folder has them. `processor` is the library's image processor, `spec` what it
    does.
    """

    name: str
    kind: str
    labels: tuple[Any, ...]
    network: Any
    config: Any
    spec: ProcessorSpec
    processor: Any
    processor_file: Path

    def verify_preprocessing(self, prepare: Callable[[Image.Image], NDArray[np.float32]]) -> None:
        """Compare `prepare`, from an image to the network's input, with the processor; ModelError where they differ."""
        verify_preprocessing(self.processor_file, self.processor, prepare)


def saved_model(file: JsonFile, processor: JsonFile | None) -> SavedModel:
    """Resolve a config.json and a preprocessor_config.json of transformers; ModelError where they describe no model."""
    described = transformers_config(file)
    if processor is None:
        raise ModelError(
            f"{file.path.parent} holds no preprocessor_config.json, so how pictures are prepared for "
            f"{described.network} is not known. Save the image processor there too, with save_pretrained."
        )
    config = described.loaded()
    spec, loaded = processor_spec(processor, config)
    labels = labels_of(config, file.path)
    kind = network_class(described)
    return SavedModel(described.name, described.kind, labels, kind, config, spec, loaded, processor.path)


def only_saved(name: str) -> Any:
    """Raise ModelError: a name alone does not suffice to build a network of transformers."""
    raise ModelError(
        f"The architecture {name!r} is built as a config.json of transformers describes it, and none lies beside the "
        "weights. Copy the whole folder that save_pretrained wrote."
    )
