"""One server with a model of each kind and a script, for the tests of the page."""

import json
from pathlib import Path
from typing import Self

from tests.support.folders.checkpoints import write_automl_folder
from tests.support.folders.detector_folders import write_detector_folder
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

SCRIPT = """
def init(): pass
def run(data): return {"bytes": len(data)}
"""
SAMPLES = {"first.jpg": "JPEG", "second.png": "PNG"}


class PageSite:
    """A context manager: a server with the deployments `labels`, `boxes`, `masks` and `script`, and some samples.

    Who names none gets `labels`. The server takes `arguments`, too.
    """

    def __init__(self, folder: Path, *arguments: str | Path) -> None:
        write_automl_folder(folder / "labels", sizes=(80, 64))
        write_detector_folder(folder / "boxes")
        write_detector_folder(folder / "masks", "maskrcnn_resnet18_fpn")
        (folder / "script.py").write_text(SCRIPT)
        models = {name: {"model": name} for name in ("labels", "boxes", "masks")}
        plan = {"deployments": {**models, "script": {"entry_script": "script.py"}}, "traffic": {"labels": 100}}
        (folder / "deployments.json").write_text(json.dumps(plan))
        self.samples = write_samples(folder / "samples")
        # however slow and busy the machine is
        patient = ("--queue-limit-ms", "600000", "--request-timeout-ms", "300000")
        flags = ("--deployments", folder / "deployments.json", "--page-samples", self.samples, *patient)
        self.server = LiveServer(*flags, *arguments, ready_within_s=120)
        self.names = ("labels", "boxes", "masks", "script")

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"{self.server.url}/ui"

    def __enter__(self) -> Self:
        self.server.__enter__()
        self.server.wait_for(self._all_ready, within_s=120)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    def _all_ready(self) -> bool:
        return all(self.server.metric("sightglass_deployment_ready", deployment=name) == 1 for name in self.names)


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
