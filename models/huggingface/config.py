"""config.json as transformers saves it beside its weights: which network it is, and how large.

Nothing in it can run code of the folder, download anything, or change how attention is computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import ModelError, first_line
from models.huggingface.importing import import_transformers
from settings.expectation import did_you_mean
from settings.json_file import JsonFile

PREFIX = "transformers/"

# these name code, kernels or rewritten layers to use instead of the library's own, or ask for outputs of no use here
_LEFT_OUT = frozenset(
    {
        "_attn_implementation",
        "_attn_implementation_internal",
        "_experts_implementation",
        "attn_implementation",
        "auto_map",
        "custom_pipelines",
        "fusion_config",
        "kernel_config",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "torchscript",
    }
)


@dataclass(frozen=True, slots=True)
class TransformersConfig:
    """The content of the file. `network` is the name of a class, `kind` of its family, such as `vit`."""

    file: Path
    network: str
    kind: str
    content: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the architecture in manifests."""
        return PREFIX + self.network

    def loaded(self) -> Any:
        """Return the library's own object of the configuration; ModelError where the file does not fit."""
        known = import_transformers().CONFIG_MAPPING
        if self.kind not in known:
            raise ModelError(
                f"{self.file}: the installed transformers knows no model_type {self.kind!r}."
                f"{did_you_mean(self.kind, list(known))} Correct it, or install a newer transformers."
            )
        if self.content.get("quantization_config"):
            raise ModelError(f"{self.file}: the weights are quantized, which is not supported. Save them in float32.")
        try:
            config = known[self.kind].from_dict(_cleaned(self.content))
        except Exception as error:  # whatever the library's checks raise
            raise ModelError(f"{self.file} does not describe a {self.kind}: {first_line(error).rstrip('.')}.") from None
        return config


def saved_by_transformers(config: JsonFile | None) -> bool:
    """Whether a config.json is one of transformers."""
    return config is not None and isinstance(config.content.get("model_type"), str)


def transformers_config(config: JsonFile) -> TransformersConfig:
    """Return what a config.json of transformers says; ModelError where it does not name one network."""
    networks = config.content.get("architectures")
    if not isinstance(networks, list) or len(networks) != 1 or not isinstance(networks[0], str):
        raise ModelError(
            f"{config.path}: 'architectures' is {networks!r}; expected the name of one network, such as "
            '["ViTForImageClassification"]. Save the whole network with save_pretrained.'
        )
    return TransformersConfig(config.path, networks[0], config.content["model_type"], config.content)


def network_class(config: TransformersConfig) -> Any:
    """Return the class that a configuration names; ModelError where the library has no such network of its kind."""
    library = import_transformers()
    named: Any = getattr(library, config.network, None)
    if not (isinstance(named, type) and issubclass(named, library.PreTrainedModel)):
        raise ModelError(f"{config.file}: the installed transformers has no network {config.network!r}.")
    kind: Any = named
    if kind.config_class.model_type != config.kind:
        raise ModelError(f"{config.file}: {config.network} is no network of the model_type {config.kind!r}.")
    return kind


def labels_of(config: Any, file: Path) -> tuple[Any, ...]:
    """Return the labels of a loaded configuration by their index; ModelError where indexes are left out."""
    named: Mapping[int, Any] = config.id2label
    if not named or sorted(named) != list(range(len(named))):
        raise ModelError(
            f"{file}: 'id2label' names the classes {sorted(named)}; expected each number from 0 on. Name them all."
        )
    return tuple(named[number] for number in range(len(named)))


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _cleaned(part) for key, part in value.items() if key not in _LEFT_OUT}
    return [_cleaned(part) for part in value] if isinstance(value, list) else value
