"""The names of classes in a YOLO folder: from data.yaml, or from a text file with a name a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data.errors import DataError
from models.labels import Label
from settings.excerpt import excerpt

_LISTS = ("classes.txt", "obj.names", "predefined_classes.txt")
_MOST_BYTES = 2**22


@dataclass(frozen=True, slots=True)
class ClassNames:
    """Labels by their numbers; without a `file` that names them, the numbers are the labels.

    `keypoints` says that each box is followed by points of a body.
    """

    labels: Mapping[int, Label]
    file: Path | None = None
    keypoints: bool = False

    def label(self, number: int) -> Label | None:
        """Return the label of a class; None where the file names others only."""
        return number if self.file is None else self.labels.get(number)


def names_file(folder: Path) -> Path | None:
    """Return the file in a folder that names its classes: data.yaml, another YAML with `names`, or a list."""
    described = sorted(
        [*folder.glob("*.yaml"), *folder.glob("*.yml")], key=lambda file: (file.stem != "data", file.name)
    )
    found = [file for file in described if _has_names(file)]
    found += [folder / name for name in _LISTS if (folder / name).is_file()]
    return found[0] if found else None


def read_names(folder: Path) -> ClassNames:
    """Return the names of the classes of a folder, which its parent may hold; DataError where their file is broken."""
    file = names_file(folder) or names_file(folder.absolute().parent)
    if file is None:
        return ClassNames({})
    if file.suffix not in (".yaml", ".yml"):
        lines = file.read_text("utf-8-sig", errors="replace").splitlines()
        return ClassNames({number: line.strip() for number, line in enumerate(lines) if line.strip()}, file)
    content = _content(file)
    return ClassNames(_labels(content["names"], file), file, bool(content.get("kpt_shape")))


def _has_names(file: Path) -> bool:
    try:
        return file.stat().st_size < _MOST_BYTES and "names" in _content(file)
    except DataError:
        return file.stem == "data"


def _content(file: Path) -> dict[str, Any]:
    try:
        # All texts stay texts: a class may be called yes, or 1.0
        content = yaml.load(file.read_bytes(), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{file} is not valid YAML: {str(error).splitlines()[0]}.") from None
    if not isinstance(content, dict):
        return {}
    return content


def _labels(given: Any, file: Path) -> dict[int, Label]:
    """Return labels by number, from a list or a map."""
    pairs = given.items() if isinstance(given, dict) else enumerate(given) if isinstance(given, list) else None
    if pairs is None:
        raise DataError(f"'names' in {file} is {excerpt(given)}; expected a list, or a map of numbers to names.")
    labels: dict[int, Label] = {}
    for number, name in pairs:
        if not str(number).isdecimal() or not isinstance(name, str):
            raise DataError(f"'names' in {file} has {excerpt(number)}: {excerpt(name)}; expected a number and a name.")
        labels[int(number)] = name
    return labels
