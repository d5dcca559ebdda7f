"""Writes what `data show` makes: contact sheets and charts as PNG files, and one page with all of it."""

import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from PIL import Image

from data.dataset import CheckedImage
from data.drawing.contact_sheet import PER_SHEET, SheetTile, draw_sheet
from data.drawing.data_page import data_page, image_figure
from data.drawing.html_page import write_whole
from data.drawing.shown_image import ShownImage
from data.drawing.statistics import DataStatistics
from data.drawing.thumbnail import thumbnail
from data.errors import ImageUnavailableError
from data.fault import Fault
from data.progress import ProgressReport
from data.sources.image_store import ImageStore
from models.errors import ImageError
from models.labels import Label
from settings.excerpt import counted

PAGE = "index.html"

_BOUNDS = (512, 384)  # of an image on the page, pixels; there it is half as large, and whole when enlarged
_MOST_EMBEDDED = 500  # images; a page of more would take a browser's memory


@dataclass(frozen=True, slots=True)
class Gallery:
    """What is shown of a data set: `images` out of `total`, and how they were chosen in the words of `choice`."""

    title: str
    statistics: DataStatistics
    faults: Sequence[Fault]
    images: Sequence[ShownImage]
    total: int
    choice: str
    exif: bool = False


def write_gallery(gallery: Gallery, store: ImageStore, folder: Path, report: ProgressReport) -> Path:
    """Write sheets, charts and the page to a folder, over those that it has; return the page.

    An image that cannot be had or decoded is a place in red. OSError where the folder cannot be written.
    """
    for name in ("sheets", "charts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for old in (folder / name).glob("*.png"):
            old.unlink()
    charts = gallery.statistics.charts()
    for name, drawing in charts.items():
        save_png(drawing.png(), folder / "charts" / f"{name}.png")
    figures = _write_sheets(gallery, store, folder / "sheets", report)
    note = gallery.choice
    if any(each.faulty for each in gallery.images):
        note += " Dashed boxes in red were dropped or changed."
    if len(gallery.images) > len(figures):
        note += f" The page holds the first {len(figures)} of them, the sheets beside it all of them."
    page = data_page(gallery.title, gallery.statistics, charts, figures, faults=gallery.faults, note=note)
    write_whole(folder / PAGE, page.encode("utf-8", "replace"))
    return folder / PAGE


def _write_sheets(gallery: Gallery, store: ImageStore, folder: Path, report: ProgressReport) -> list[str]:
    labels = list(gallery.statistics.images)
    figures: list[str] = []
    sheets = -(-len(gallery.images) // PER_SHEET)
    with ThreadPoolExecutor(os.cpu_count()) as threads, report.bar(len(gallery.images), "drawing images") as bar:
        for number, images in enumerate(_parts(gallery.images), start=1):
            tiles = list(threads.map(partial(_tile, store=store, exif=gallery.exif), images))
            note = f"sheet {number} of {sheets}, {len(gallery.images):,} of {counted(gallery.total, 'image')}"
            save_png(draw_sheet(gallery.title, note, tiles), folder / f"sheet_{number:0{max(2, len(str(sheets)))}}.png")
            figures += threads.map(partial(_figure, labels=labels), tiles[: _MOST_EMBEDDED - len(figures)])
            bar.advance(len(tiles))
    return figures


def _parts(images: Sequence[ShownImage]) -> Iterator[list[ShownImage]]:
    remaining = iter(images)
    while part := list(islice(remaining, PER_SHEET)):
        yield part


def _tile(shown: ShownImage, store: ImageStore, exif: bool) -> SheetTile:
    if shown.image is None:
        return SheetTile(shown, None, "cannot be read")
    try:
        file, size = _file(shown.checked, shown.url, store)
        return SheetTile(shown, thumbnail(file, size, _BOUNDS, exif=exif))
    except ImageUnavailableError as error:
        return SheetTile(shown, None, error.fault)
    except ImageError as error:
        return SheetTile(shown, None, error.code)
    except OSError as error:
        return SheetTile(shown, None, error.strerror or "cannot be read")


def _figure(tile: SheetTile, labels: Sequence[Label]) -> str:
    return image_figure(tile.shown, tile.drawn(_BOUNDS, 2), tile.trouble, labels)


def _file(checked: CheckedImage | None, url: str, store: ImageStore) -> tuple[Path, tuple[int, int] | None]:
    return (checked.file, checked.size) if checked else (store.file(url), None)


def save_png(image: Image.Image, file: Path) -> None:
    """Write a PNG file, whole or not at all."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    write_whole(file, buffer.getvalue())
