"""The options of commands that say where images are, and the ImageStore that they make."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from data.errors import DataError
from data.sources.image_store import ImageStore
from data.sources.mapping_file import read_mapping
from settings.excerpt import excerpt


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add --root, --roots, --allow-http and --cache, as a group of their own."""
    group = parser.add_argument_group("where images are")
    group.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="[NAME=]FOLDER",
        help="another folder with images; with NAME, the root of that datastore: a folder, or a URL such as s3://b/p",
    )
    group.add_argument("--roots", type=Path, metavar="FILE", help="JSON or YAML with the root of each datastore")
    group.add_argument("--allow-http", action="store_true", help="fetch images of http:// and https://")
    group.add_argument(
        "--cache",
        type=Path,
        metavar="FOLDER",
        help="where fetched images are kept (default: ~/.cache/sightglass/images)",
    )


def image_store(options: argparse.Namespace, folder: Path, more_roots: Mapping[str, str] | None = None) -> ImageStore:
    """Return where the images of a data set are looked for, as the options say and, after them, `more_roots`.

    DataError for a file of no roots.
    """
    roots = {**(more_roots or {}), **(read_roots(options.roots) if options.roots else {})}
    folders = []
    for given in options.root:
        name, is_named, place = given.partition("=")
        if is_named and "/" not in name:
            roots[name] = place
        else:
            folders.append(Path(given))
    for each in folders:
        if not each.is_dir():
            raise DataError(f"--root {each} is no folder. Give a folder with images, or NAME=FOLDER for a datastore.")
    return ImageStore(folder, roots=roots, more_folders=folders, allow_http=options.allow_http, cache=options.cache)


def read_roots(file: Path) -> dict[str, str]:
    """Read the root of each datastore from JSON or YAML; folders in it are relative to the file.

    DataError where it is no map of texts.
    """
    content = read_mapping(file, 'the root of each datastore by its name, such as {"workspaceblobstore": "images"}')
    if wrong := next((root for root in content.values() if not isinstance(root, str)), None):
        raise DataError(f"{file} has {excerpt(wrong)} as a root. Give a folder or a URL, as a text.")
    return {name: root if "://" in root else str(file.parent / root) for name, root in content.items()}
