"""MLTable: a folder with a file that names JSONL files, as the hosted service takes its data."""

import os
import posixpath
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from data.dataset import Dataset
from data.dataset_builder import DatasetBuilder
from data.errors import DataError, ImageUnavailableError
from data.format import Format, PlacedImage, ReadOptions, WriteOptions, WriteReport
from data.json_lines.reading import read_lines
from data.json_lines.writing import write_lines
from data.sources.address import LocalAddress, address_of
from settings.excerpt import excerpt

_FILE, _LINES = "MLTable", "data.jsonl"
_MOST_BYTES = 2**20
_KEYS = {"paths", "transformations", "type", "$schema"}
_READING = {
    "encoding": ("utf8", "utf-8", "ascii"),
    "invalid_lines": ("error", "drop"),
    "include_path_column": (True, False),
}
_CONVERSION = {"columns", "column_type"}


def _recognises(path: Path) -> bool:
    return (path / _FILE).is_file() or (path.name == _FILE and path.is_file())


def _read(path: Path, options: ReadOptions) -> Dataset:
    file = path / _FILE if path.is_dir() else path
    files = _files(file)
    folders = {each.parent for each in files}
    common = folders.pop() if len(folders) == 1 else file.parent
    builder = DatasetBuilder(path, common)
    before = 0
    for each in files:
        part = DatasetBuilder(each, each.parent)
        count = read_lines(each, options.label_column, part)
        folder = "" if each.parent == common else os.path.relpath(each.parent, common)
        for image, form in zip(part.images, part.forms, strict=True):
            builder.add(replace(image, url=_below(folder, image.url), line=before + image.line), form)
        for fault in part.faults:
            builder.faults.append(replace(fault, image=_below(folder, fault.image), line=before + fault.line))
        if len(files) > 1:
            builder.notes.append(f"Lines {before + 1} to {before + count} are those of {each}.")
        before += count
    return builder.dataset(options.task)


def _below(folder: str, url: str) -> str:
    """Return a URL, relative to another folder where it is a relative path."""
    try:
        address = address_of(url) if folder and url else None
    except ImageUnavailableError:
        return url
    return posixpath.join(folder, url) if isinstance(address, LocalAddress) and address.path == url else url


def _files(file: Path) -> list[Path]:
    """Return the JSONL files that an MLTable names; DataError where it asks for what is not done."""
    content = _content(file)
    _refuse_others(content, _KEYS, file, "key")
    transformations = content.get("transformations")
    if not isinstance(transformations, list) or not transformations:
        raise DataError(f"{file} has no transformations. Expected read_json_lines, and perhaps convert_column_types.")
    steps = [_step(each, file) for each in transformations]
    if [name for name, _ in steps] not in (["read_json_lines"], ["read_json_lines", "convert_column_types"]):
        names = ", ".join(name for name, _ in steps)
        raise DataError(
            f"{file} has the transformations {names}. Expected read_json_lines, and then convert_column_types or "
            "nothing: others are not carried out. Apply them to the JSONL, and leave them out."
        )
    _check_reading(steps[0][1], file)
    if len(steps) > 1:
        _check_conversions(steps[1][1], file)
    paths = content.get("paths")
    if not isinstance(paths, list) or not paths:
        raise DataError(f"{file} has no paths. Expected a list such as [{{file: ./train.jsonl}}].")
    return list(dict.fromkeys(found for entry in paths for found in _files_of(entry, file)))


def _content(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise DataError(f"{file} has more than {_MOST_BYTES} bytes, and is no MLTable.")
        content = yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{file} is not valid YAML: {str(error).splitlines()[0]}.") from None
    if not isinstance(content, dict):
        raise DataError(f"{file} holds {excerpt(content)}; expected paths and transformations.")
    return content


def _step(given: Any, file: Path) -> tuple[str, Any]:
    if isinstance(given, str):
        return given, None
    if isinstance(given, dict) and len(given) == 1:
        ((name, options),) = given.items()
        return str(name), options
    raise DataError(f"A transformation in {file} is {excerpt(given)}; expected a name with its options.")


def _check_reading(options: Any, file: Path) -> None:
    given = {} if options is None else options
    if not isinstance(given, dict):
        raise DataError(f"read_json_lines in {file} has {excerpt(options)}; expected options by name.")
    _refuse_others(given, _READING.keys(), file, "option of read_json_lines")
    for name, value in given.items():
        if value not in _READING[name]:
            known = ", ".join(map(str, _READING[name]))
            raise DataError(f"{name} of read_json_lines in {file} is {excerpt(value)}; expected one of {known}.")


def _check_conversions(options: Any, file: Path) -> None:
    for each in options if isinstance(options, list) else [options]:
        if not isinstance(each, dict):
            raise DataError(f"convert_column_types in {file} has {excerpt(each)}; expected columns and column_type.")
        _refuse_others(each, _CONVERSION, file, "option of convert_column_types")
        columns, kind = each.get("columns"), each.get("column_type")
        if columns not in ("image_url", ["image_url"]) or kind != "stream_info":
            raise DataError(
                f"convert_column_types in {file} makes {excerpt(columns)} a {excerpt(kind)}; expected image_url and "
                "stream_info alone. Write the labels in the JSONL as they are to be."
            )


def _files_of(entry: Any, file: Path) -> list[Path]:
    ((kind, given),) = entry.items() if isinstance(entry, dict) and len(entry) == 1 else ((None, None),)
    if kind not in ("file", "pattern", "folder") or not isinstance(given, str):
        raise DataError(f"A path in {file} is {excerpt(entry)}; expected a file, a pattern or a folder.")
    if "://" in given.removeprefix("file://") or given.startswith("azureml:"):
        raise DataError(f"{file} names {excerpt(given)}. Download it, and name the file relative to the MLTable.")
    given = given.removeprefix("file://")
    if kind == "file":
        found = [file.parent / given]
    elif kind == "pattern":
        place = Path(given)
        start = Path(place.anchor) if place.is_absolute() else file.parent
        found = sorted(start.glob(str(place.relative_to(place.anchor))))
    else:
        found = sorted((file.parent / given).glob("*.jsonl"))
    found = [each.resolve() for each in found if each.is_file()]
    if not found:
        raise DataError(f"{file} names the {kind} {excerpt(given)}, where there is no file.")
    return found


def _refuse_others(given: dict[Any, Any], known: Any, file: Path, what: str) -> None:
    if others := [name for name in given if name not in known]:
        raise DataError(f"{excerpt(others[0])} in {file} is no {what} that is read. Known: {', '.join(sorted(known))}.")


def _write(images: Sequence[PlacedImage], target: Path, options: WriteOptions) -> WriteReport:
    target.mkdir(parents=True)
    with (target / _LINES).open("xb") as stream:
        write_lines(images, options.task, stream)
    described = {
        "paths": [{"file": f"./{_LINES}"}],
        "transformations": [
            {"read_json_lines": {"encoding": "utf8", "invalid_lines": "error", "include_path_column": False}},
            {"convert_column_types": [{"columns": "image_url", "column_type": "stream_info"}]},
        ],
        "type": "mltable",
    }
    (target / _FILE).write_text(yaml.safe_dump(described, sort_keys=False))
    return WriteReport()


FORMAT = Format(
    name="mltable",
    title="MLTable",
    tasks=frozenset({"multiclass", "multilabel", "detection", "segmentation"}),
    is_folder=True,
    needs="nothing",
    recognises=_recognises,
    read=_read,
    write=_write,
)
