"""Reads labelled images together with their files, for formats whose boxes are in pixels of images of unknown sizes."""

from collections.abc import Callable
from pathlib import Path

from data.dataset import Dataset
from data.headers import size_finder
from data.reading import read_dataset
from data.sources.image_store import ImageStore
from models.folder.manifest import TaskName

Stores = Callable[[Path], ImageStore]
"""Returns where the images of a data set in a folder are looked for."""


def read_located(
    path: Path,
    stores: Stores,
    *,
    task: TaskName | None = None,
    format: str | None = None,  # noqa: A002 - as in read_dataset
    label_column: str = "label",
    voc_origin: int = 0,
) -> tuple[Dataset, ImageStore]:
    """Read a file or folder as `read_dataset` does; return where its images are looked for, too.

    DataError where nothing can be read.
    """
    dataset = read_dataset(
        path,
        task=task,
        format=format,
        label_column=label_column,
        voc_origin=voc_origin,
        size_of=size_finder(stores(path if path.is_dir() else path.parent)),
    )
    return dataset, stores(dataset.folder)
