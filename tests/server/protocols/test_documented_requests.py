"""The requests in the docs are answered as they stand, with a photograph in place of the small example."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.images import encoded
from tests.support.repository import ROOT
from tests.support.servers.protocol_site import ProtocolSite

PICTURES = re.compile(r"demo/fridge/pictures/\w+\.jpg")
PAGES = ("scoring.md", "protocols.md", "explanations.md")
BLOCKS = [
    pytest.param(block[1], block[2], id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.finditer(r"^```(sh|python)\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.DOTALL | re.MULTILINE)
    )
    if "localhost:5001" in block[2] and (block[1] == "python" or "curl " in block[2])
]


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Larger than what the arguments of a command may be together with its environment."""
    noise = np.random.default_rng(0).integers(0, 256, (420, 420, 3), dtype=np.uint8)
    file = tmp_path_factory.mktemp("pictures") / "photograph.jpg"
    file.write_bytes(encoded(noise, "JPEG"))
    assert 100_000 < file.stat().st_size < 140_000
    return file


@pytest.mark.parametrize("language, block", BLOCKS)
def test_they_are_answered(site: ProtocolSite, photograph: Path, language: str, block: str, tmp_path: Path) -> None:
    program = PICTURES.sub(str(photograph), block).replace("localhost:5001", site.address)
    program = program.replace("curl ", "curl --silent --show-error --fail-with-body ")
    command: list[Any] = ["sh", "-e", "-c", program] if language == "sh" else [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[:1000] + done.stderr[-1000:]
    assert re.search(r"probs|b'\w+'|can", done.stdout) or (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")


def test_there_are_some() -> None:
    assert len(BLOCKS) >= len(PAGES)
