"""The image processor of transformers that a folder describes, built from content that was read and verified before.

AutoImageProcessor reads files itself, so its choice of a class is repeated here: by `image_processor_type`, by the
`feature_extractor_type` of older folders, or by the class of the network's configuration. The classes that prepare
images with Pillow come first.
"""

from collections.abc import Mapping
from typing import Any

from models.errors import ModelError
from models.huggingface.importing import import_transformers


def library_processor(content: Mapping[str, Any], config: Any) -> Any:
    """Return the processor of the library for the content of preprocessor_config.json.

    `config` is the library's configuration of the network. ModelError where the library has no such processor, any
    exception where its constructor refuses the values. Code that the content names (`auto_map`) is not looked at.
    """
    library = import_transformers()
    older = str(content.get("feature_extractor_type") or "").replace("FeatureExtractor", "ImageProcessor")
    name = content.get("image_processor_type") or older or getattr(config, "image_processor_type", None)
    if name:
        bare = str(name).removesuffix("Fast")
        candidates = [getattr(library, each, None) for each in (f"{bare}Pil", bare)]
    else:
        known = library.IMAGE_PROCESSOR_MAPPING.get(type(config), {})
        candidates = [known.get(backend) for backend in ("pil", "torchvision")]
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, library.ImageProcessingMixin):
            kind: Any = candidate
            return kind.from_dict(content)
    given = repr(name) if name else f"for a {type(config).__name__}"
    raise ModelError(f"describes no image processor: the installed transformers has none {given}.")
