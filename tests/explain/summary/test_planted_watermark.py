"""A network that learnt to look at a mark is found out: its label, and the images that bear the mark."""

from io import StringIO
from pathlib import Path

import pytest

from data.progress import ProgressReport
from data.reading import read_dataset
from data.sources.image_store import ImageStore
from explain.request.parameters import read_parameters
from explain.summary.images import read_images
from explain.summary.job import SummaryJob
from explain.summary.label_summary import LabelSummary
from explain.summary.report import write_summary
from tests.support.watermarked_images import MARKED, watermarked_classifier, write_images


def summarised(folder: Path, model_folder: Path, share: float) -> list[LabelSummary]:
    images = write_images(folder / "images", 60, share)
    data = read_images(images, lambda path: (read_dataset(path), ImageStore(path)))
    job = SummaryJob(watermarked_classifier(model_folder, share), read_parameters({"xai_algorithm": "gradcam"}))
    return list(write_summary(job, data, folder / "page.html", ProgressReport(stream=StringIO())).labels)


@pytest.mark.parametrize("share", [0.4])
def test_a_planted_watermark_is_found(tmp_path: Path, fridge_folder: Path, share: float) -> None:
    first, second, *_ = summarised(tmp_path, fridge_folder, share)
    names = [each.image.name for cluster in first.clusters if cluster.excess > 0 for each in cluster.images]
    marked = sum("marked" in name for name in names)
    recall, precision = marked / (60 * share), marked / max(len(names), 1)
    print(
        f"{share:.0%} marked: {first.label} {first.suspicion:.2f}, {second.label} {second.suspicion:.2f}; "
        f"{recall:.0%} of its marked images found, {precision:.0%} of those found are marked"
    )
    assert first.label == MARKED
    assert first.suspicion > 2 * second.suspicion
    assert recall >= 0.9
    assert precision >= 0.8


def test_nothing_is_found_where_nothing_was_planted(tmp_path: Path, fridge_folder: Path) -> None:
    assert max(each.suspicion for each in summarised(tmp_path, fridge_folder, 0.0)) < 0.1
