"""docs/tutorial.md: its own commands, files and requests, one after the other, with fewer and smaller images."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer

# What the page says, and what is done instead, so that it takes seconds
SMALLER = {
    "--count 2400": "--count 14",
    "--size 240x180": "--size 64x48",
    "--size 256x192": "--size 64x48",
    "--seed 50000": "--seed 50000 --size 96x72",
    "img_size: 160": "img_size: 64",
    "number_of_epochs: 6": "number_of_epochs: 1",
    "number_of_epochs: 10": "number_of_epochs: 1",
    "valid_resize_size: 164": "valid_resize_size: 40",
    "valid_crop_size: 144": "valid_crop_size: 32",
    "train_crop_size: 144": "train_crop_size: 32",
}


class Reader:
    """Does what the page says, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._server: LiveServer | None = None
        self.said = ""

    def follow(self, kind: str, block: str) -> None:
        """Write a file, run commands or a script, or start a server."""
        if kind == "yaml":
            (self._folder / block.partition("\n")[0].removeprefix("# ")).write_text(block)
        elif kind == "python":
            self._run([sys.executable, "-c", self._with_port(block)])
        elif kind == "sh":
            commands, _, server = block.partition("python -m server ")
            self._run(["bash", "-ec", self._with_port(commands)])
            if server:
                self.end()
                self._server = LiveServer(*shlex.split(server), env=self._env, cwd=self._folder).__enter__()

    def end(self) -> None:
        """End the server, as Ctrl-C does."""
        if self._server is not None:
            self._server.__exit__()
            self._server = None

    def _with_port(self, text: str) -> str:
        return text if self._server is None else text.replace("localhost:5001", f"localhost:{self._server.port}")

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=self._folder, env=self._env, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        self.said += done.stdout + done.stderr


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    page = (ROOT / "docs/tutorial.md").read_text().replace(". .venv/bin/activate\n", "")
    for said, done in SMALLER.items():
        assert said in page
        page = page.replace(said, done)
    installation, *blocks = re.findall(r"```(\w+)\n(.+?)```", page, re.DOTALL)
    assert installation[1].startswith("scripts/install ")
    reader = Reader(tmp_path)
    try:
        for kind, block in blocks:
            reader.follow(kind, block)
    finally:
        reader.end()

    assert "yolov5 for detection starts from random weights" in reader.said
    run = tmp_path / "runs" / "fridge-boxes"
    assert (run / "report.html").exists()
    assert {"mean_average_precision", "coco_ap50"} <= json.loads((run / "evaluation.json").read_text())[
        "metrics"
    ].keys()
    assert isinstance(json.loads((tmp_path / "reply.json").read_text())["boxes"], list)
    for drawn in ("found.png", "why.png"):
        with Image.open(tmp_path / drawn) as image:
            image.load()
    assert re.search(r"\['can', 'carton', 'milk_bottle', 'water_bottle'\] \[0\.", reader.said)
