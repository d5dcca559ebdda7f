"""The files of weights that libraries publish: their names in caches, where they come from, what they tell apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from urllib.parse import urlparse

from models.labels import Label

_TORCHVISION = "torchvision/"
_TIMM = "timm/"
# Our names of networks -> those of torchvision and of timm
_OF_TORCHVISION = MappingProxyType({"mobilenetv2": "mobilenet_v2"})
_OF_TIMM: Mapping[str, str] = MappingProxyType(
    {
        "seresnext": "legacy_seresnext50_32x4d",
        "resnest50": "resnest50d",
        "resnest101": "resnest101e",
        "vits16r224": "vit_small_patch16_224",
        "vitb16r224": "vit_base_patch16_224",
        "vitl16r224": "vit_large_patch16_224",
    }
)
# Files of the same tensors under other names, as older versions and the authors' own packages publish them
_OLDER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "resnet18": ("resnet18-5c106cde.pth",),
        "resnet34": ("resnet34-333f7ec4.pth",),
        "resnet50": ("resnet50-19c8e357.pth",),
        "resnet101": ("resnet101-5d3b4d8f.pth",),
        "resnet152": ("resnet152-b121ed2d.pth",),
        "seresnext": ("se_resnext50_32x4d-a260b3a4.pth",),
        "resnest50": ("resnest50-528c19ca.pth",),
        "resnest101": ("resnest101-22405ba7.pth",),
        "vitb16r224": ("jx_vit_base_p16_224-80ecf9dd.pth",),
        "vitl16r224": ("jx_vit_large_p16_224-4ee7a4dc.pth",),
    }
)
_BACKGROUND = "__background__"


@dataclass(frozen=True, slots=True)
class LibraryFiles:
    """Where the weights of one network may be.

    `names` are files in torch's cache, the likeliest first; `url` is where the first of them can be had. `hub` is a
    repository of the Hugging Face hub. `labels` are None where the library does not name its classes.
    """

    names: tuple[str, ...]
    url: str | None = None
    hub: str | None = None
    labels: tuple[Label, ...] | None = None


def library_files(model_name: str) -> LibraryFiles | None:
    """Return the files of a network by its name; None where no library publishes any."""
    if (timm_name := _timm_name(model_name)) is not None:
        return _of_timm(model_name, timm_name)
    return _of_torchvision(model_name)


def backbone_of(model_name: str) -> str | None:
    """Return the name of the classifier that a detector is built on, such as resnet50; None for other networks."""
    words = model_name.split("_")
    return words[1] if words[0] in ("fasterrcnn", "maskrcnn", "retinanet") and words[-1] == "fpn" else None


def _timm_name(model_name: str) -> str | None:
    return model_name.removeprefix(_TIMM) if model_name.startswith(_TIMM) else _OF_TIMM.get(model_name)


def _of_timm(model_name: str, timm_name: str) -> LibraryFiles:
    import timm

    config: Any = timm.get_pretrained_cfg(timm_name, allow_unregistered=True)
    url = config.url if config is not None and str(config.url or "").endswith((".pth", ".pt", ".safetensors")) else None
    names = (*((_file_name(url),) if url else ()), *_OLDER.get(model_name, ()))
    return LibraryFiles(names, url, (config.hf_hub_id or None) if config is not None else None)


def _of_torchvision(model_name: str) -> LibraryFiles | None:
    from torchvision import models as zoo

    name = _OF_TORCHVISION.get(model_name, model_name.removeprefix(_TORCHVISION))
    try:
        published: Any = list(zoo.get_model_weights(name))
    except ValueError:  # it has no network of this name
        return None
    if not published:
        return None
    labels = tuple(published[0].meta.get("categories", ()))
    if labels[:1] == (_BACKGROUND,) and "retinanet" not in name:  # which counts the background as any other
        labels = labels[1:]
    names = (*(_file_name(each.url) for each in published), *_OLDER.get(model_name, ()))
    return LibraryFiles(names, published[0].url, None, labels or None)


def _file_name(url: str) -> str:
    return PurePosixPath(urlparse(url).path).name
