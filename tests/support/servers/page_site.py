"""One server with a model of each kind and a script, for the tests of the page."""

from pathlib import Path

from tests.support.folders.checkpoints import write_automl_folder
from tests.support.folders.detector_folders import write_detector_folder
from tests.support.images import encoded, painted
from tests.support.servers.deployments_site import DeploymentsSite

LABELS = ("can", "carton", "milk_bottle", "jar", "tin", "water_bottle")
SCRIPT = """
def init(): pass
def run(data): return {"bytes": len(data)}
"""
# as a classifier answers
GUESS = """
labels = [*%r, *(f"label {number}" for number in range(9))]
def init(): pass
def run(data): return {"labels": labels, "probs": [0.3, *[0.05] * 14]}
"""
SAMPLES = {"first.jpg": "JPEG", "second.png": "PNG"}


class PageSite(DeploymentsSite):
    """A server with the deployments `labels`, `boxes`, `masks`, `script` and `guess`, and some samples."""

    def __init__(self, folder: Path, *arguments: str | Path) -> None:
        write_automl_folder(folder / "labels", labels=LABELS, sizes=(80, 64))
        write_detector_folder(folder / "boxes")
        write_detector_folder(folder / "masks", "maskrcnn_resnet18_fpn")
        (folder / "script.py").write_text(SCRIPT)
        (folder / "guess.py").write_text(GUESS % (LABELS,))
        models = {name: {"model": name} for name in ("labels", "boxes", "masks")}
        scripts = {name: {"entry_script": f"{name}.py"} for name in ("script", "guess")}
        self.samples = write_samples(folder / "samples")
        plan = {**models, **scripts}
        super().__init__(folder, plan, "labels", "--page-samples", self.samples, *arguments)

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"{self.server.url}/ui"


def write_samples(folder: Path) -> Path:
    """Write the images SAMPLES, and files beside them that are none. Returns the folder."""
    folder.mkdir()
    for seed, (name, form) in enumerate(SAMPLES.items()):
        (folder / name).write_bytes(encoded(painted(seed, 120, 90), form))
    (folder / ".hidden.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "folder.jpg").mkdir()
    return folder
