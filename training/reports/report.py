"""write_report: the charts of a run as PNG files, and one page about it that opens offline."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from data.dataset import CheckedImage
from data.drawing.colours import label_colour
from data.drawing.gallery import save_png
from data.drawing.ground_truth import draw_objects
from data.drawing.html_page import chip, embedded, escaped, write_whole
from data.drawing.thumbnail import thumbnail
from models.errors import ImageError
from models.labels import named
from training.reports.charts import run_charts
from training.reports.report_page import report_page
from training.reports.run_record import RunRecord
from training.reports.worst import WorstPrediction, worst_predictions

_MOST_WORST = 24
_BOUNDS = (512, 384)  # pixels
_GAP = 8


def write_report(folder: Path, images: Sequence[CheckedImage] = (), *, exif: bool = False) -> Path:
    """Write report.html and charts/ into the folder of a run, from what is there; return the page.

    `images` are those of the validation: the worst predictions are shown with them, turned by EXIF where `exif` says
    so. TrainingError where the folder holds no run or a damaged one, OSError where it cannot be written.
    """
    record = RunRecord.read(folder)
    charts = run_charts(record)
    (folder / "charts").mkdir(exist_ok=True)
    for old in (folder / "charts").glob("*.png"):
        old.unlink()
    for name, drawing in charts.items():
        save_png(drawing.png(), folder / "charts" / f"{name}.png")
    worst = worst_predictions(record.task, [each.image for each in images], record.predictions, _MOST_WORST)
    files = {each.image.url: each for each in images}
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        figures = list(threads.map(lambda one: _figure(one, files[one.image.url], exif), worst))
    write_whole(folder / "report.html", report_page(record, charts, figures).encode("utf-8", "replace"))
    return folder / "report.html"


def _figure(one: WorstPrediction, checked: CheckedImage, exif: bool) -> str:
    try:
        image = thumbnail(checked.file, checked.size, _BOUNDS, exif=exif)
        picture = embedded(_side_by_side(image, one), one.image.url)
    except (ImageError, OSError):
        picture = '<div class="missing">image_unreadable</div>'
    true = "".join(chip(named(label), label_colour(label)) for label in one.image.labels)
    guessed = "".join(chip(f"{named(label)} {score:.0%}", label_colour(label)) for label, score in one.labels)
    labels = f'<div>{true or chip("no label")} <span class="faint">predicted</span> {guessed or chip("no label")}</div>'
    caption = (
        f'<span class="faint">{one.image.line}</span> {escaped(one.image.url)}'
        f'{"" if one.image.objects or one.objects else labels}<div class="faint">{escaped(one.verdict)}</div>'
    )
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>\n"


def _side_by_side(image: Image.Image, one: WorstPrediction) -> Image.Image:
    """Return the image with its truth, and beside it with what was predicted, where there are objects."""
    if not (one.image.objects or one.objects):
        return image
    both = Image.new("RGB", (2 * image.width + _GAP, image.height), (128, 128, 128))
    both.paste(draw_objects(image, one.image.objects, unit=2), (0, 0))
    both.paste(draw_objects(image, one.objects, scores=one.scores, unit=2), (image.width + _GAP, 0))
    return both
