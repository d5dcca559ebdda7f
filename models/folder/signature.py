"""Signature: the columns of the table that a model takes, from the file MLmodel of an MLflow folder."""

import json
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.errors import ModelError, first_line
from settings.byte_order_mark import as_utf8

MLMODEL = "MLmodel"

logger = logging.getLogger(__name__)

_IMAGE = "image"
# the flavors of MLflow, and of AutoML's own packages before it
_TRANSFORMERS = ("transformers", "hftransformers", "hftransformersv2")
_UNNAMED_KEYS = {"type", "required", "optional"}
_KINDS = ("binary", "string")  # types of a column of images, the likelier one first


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `type` is MLflow's name for the type of its cells."""

    name: str
    type: str
    required: bool = True

    def __str__(self) -> str:
        return f"{self.name}: {self.type} ({'required' if self.required else 'optional'})"


@dataclass(frozen=True, slots=True)
class Signature:
    """The columns in order, one of which holds the images; by default that of AutoML: one column, image, binary.

    With `any_name`, a table of one column may call it as it likes: the signature names none.
    """

    columns: tuple[Column, ...] = (Column(_IMAGE, _KINDS[0]),)
    any_name: bool = False

    def __str__(self) -> str:
        text = ", ".join(map(str, self.columns))
        return f"{text}, by any name where it is the only one" if self.any_name else text

    @property
    def image_column(self) -> str:
        """The name of the column with the images: `image`, else the first of binaries, else the first of texts."""
        name = _image_column(self.columns)
        assert name is not None
        return name

    def image_column_in(self, given: Collection[Any]) -> Any:
        """Return the name of the column with the images in a table with the columns `given`, none of them missing."""
        return next(iter(given)) if self.any_name and len(given) == 1 else self.image_column

    def missing(self, given: Collection[Any]) -> list[str]:
        """Return the names of the columns that a table with the columns `given` lacks."""
        if self.any_name and len(given) == 1:
            return []
        return [
            column.name
            for column in self.columns
            if column.name not in given and (column.required or column.name == self.image_column)
        ]


def parse_signature(file: Path, data: bytes) -> Signature:
    """Parse the bytes of an MLmodel; a file without a signature has the default one.

    A signature of anything but a table with a column for images is replaced by the default with a warning, since the
    model itself can be served all the same. ModelError where the bytes are no MLmodel.
    """
    inputs = _inputs(file, data)
    if inputs is None:
        return Signature()
    if len(inputs) == 1 and (kind := _unnamed(inputs[0])) is not None:
        return Signature((Column(_IMAGE, kind),), any_name=True)
    columns = tuple(_column(each) for each in inputs if isinstance(each, dict) and isinstance(each.get("name"), str))
    if len(columns) < len(inputs) or _image_column(columns) is None or not _is_unicode(str(Signature(columns))):
        logger.warning(
            "%s: the signature %s is not of a table with a column of binaries or texts. %s is assumed.",
            file,
            json.dumps(inputs)[:200],
            Signature(),
        )
        return Signature()
    return Signature(columns)


def _unnamed(described: Any) -> str | None:
    """Return the type of a column of binaries or texts without a name, as models of transformers have one."""
    is_unnamed = isinstance(described, dict) and described.keys() <= _UNNAMED_KEYS
    return next((kind for kind in _KINDS if described.get("type") == kind), None) if is_unnamed else None


def _is_unicode(text: str) -> bool:
    """Whether replies can write a text; the halves of a surrogate pair, which JSON may hold, are none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_of_transformers(file: Path, data: bytes) -> bool:
    """Tell whether the bytes of an MLmodel describe a model that MLflow or AutoML saved as one of transformers.

    ModelError where the bytes are no MLmodel.
    """
    with _readable(file):
        flavors = _content(data).get("flavors")
    return isinstance(flavors, dict) and any(str(name) in _TRANSFORMERS for name in flavors)


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Raise ModelError where the block finds that the content of a file is not what it should be."""
    try:
        yield
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ModelError(f"{file} cannot be read: {first_line(error)}. Mend it, or remove it.") from None


def _content(data: bytes) -> Mapping[str, Any]:
    content = yaml.safe_load(as_utf8(data).decode())
    return content if isinstance(content, dict) else {}


def _inputs(file: Path, data: bytes) -> list[Any] | None:
    """Return the inputs of the signature, which are a JSON text within the YAML."""
    with _readable(file):
        signature = _content(data).get("signature")
        inputs = signature.get("inputs") if isinstance(signature, dict) else None
        columns = json.loads(inputs) if isinstance(inputs, str) else inputs
    if columns is not None and not isinstance(columns, list):
        raise ModelError(
            f"{file}: the inputs of the signature are {inputs!r}; expected a JSON list such as "
            '[{"name": "image", "type": "binary"}].'
        )
    return columns


def _column(described: dict[str, Any]) -> Column:
    # older versions of MLflow write `optional` where a column is not required
    required = described.get("required", not described.get("optional", False))
    return Column(described["name"], str(described.get("type")), bool(required))


def _image_column(columns: Collection[Column]) -> str | None:
    likely = [column.name for kind in _KINDS for column in columns if column.type == kind]
    return _IMAGE if _IMAGE in likely else next(iter(likely), None)
