"""python -m benchmarks.quality.watermarks: whether `explain summary` finds the images that bear a mark.

Draws images of three textures, some of one label with a mark in a corner and a texture that can hardly be seen, trains
a small network on others like them, and summarises it. A row says which label is first, how suspicious it and the next
one are, which share of the marked images is in places of its own, and which share of the images there is marked.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from data.progress import ProgressReport
from data.reading import read_dataset
from data.sources.image_store import ImageStore
from explain.request.parameters import read_parameters
from explain.summary.images import read_images
from explain.summary.job import SummaryJob
from explain.summary.report import write_summary
from tests.support.folders.checkpoints import write_automl_folder
from tests.support.watermarked_images import MARKED, watermarked_classifier, write_images


def found_marks(folder: Path, model: Path, share: float, each: int, algorithm: str) -> str:
    """Draw, train and summarise in a folder that does not exist yet; return the row."""
    images = read_images(
        write_images(folder / "images", each, share), lambda path: (read_dataset(path), ImageStore(path))
    )
    job = SummaryJob(watermarked_classifier(model, share), read_parameters({"xai_algorithm": algorithm}))
    first, second, *_ = write_summary(job, images, folder / "page.html", ProgressReport(quiet=True)).labels
    names = [image.image.name for cluster in first.clusters if cluster.excess > 0 for image in cluster.images]
    marked = sum("marked" in name for name in names)
    drawn = len([name for name in (folder / "images" / MARKED).iterdir() if "marked" in name.name])
    found = f"{marked / drawn:7.0%}" if drawn else f"{'-':>7}"
    right = f"{marked / len(names):7.0%}" if names else f"{'-':>7}"
    label = first.label if first.suspicion else "none"
    return f"{algorithm:22}{share:7.0%}  {label:10}{first.suspicion:7.2f}{second.suspicion:7.2f}{found}{right}"


def main() -> None:
    """Print a row for each algorithm and share of marked images."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.watermarks", description=__doc__.split("\n")[0])
    parser.add_argument("--algorithms", default="gradcam,integrated_gradients,xrai", help="(default: %(default)s)")
    parser.add_argument("--shares", default="0,0.1,0.2,0.4,1", help="of one label's images (default: %(default)s)")
    parser.add_argument("--images", type=int, default=60, help="of each label (default: 60)")
    options = parser.parse_args()
    torch.set_num_threads(2)  # so that a machine with more cores trains the same network
    print(f"{'':22}{'marked':>7}  {'first':10}{'it':>7}{'next':>7}{'found':>7}{'right':>7}")
    with TemporaryDirectory() as temporary:
        model = write_automl_folder(Path(temporary, "model"), sizes=(80, 64))
        for algorithm in options.algorithms.split(","):
            for share in map(float, options.shares.split(",")):
                folder = Path(temporary, f"{algorithm}_{share}")
                print(found_marks(folder, model, share, options.images, algorithm), flush=True)


if __name__ == "__main__":
    main()
