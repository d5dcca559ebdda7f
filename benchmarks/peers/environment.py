"""An environment for each peer: its own pinned packages first, then PyTorch and Pillow of this environment."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

HERE = Path(__file__).parent
_ENVIRONMENTS = HERE / ".environments"


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer's environment, and create the environment where it is missing.

    FastAPI is installed already and needs no environment of its own.
    """
    requirements = HERE / "requirements" / f"{peer}.txt"
    if not requirements.exists():
        return Path(sys.executable)
    home = _ENVIRONMENTS / peer
    python, done = home / "bin" / "python", home / "done"
    if not done.exists() or done.read_text() != requirements.read_text():
        print(f"installing {peer}", flush=True)
        venv.create(home, clear=True)
        # By the pip of this environment: installing another pip would take as long as all that the peer needs
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-r", str(requirements)], check=True, cwd=home)
        (packages,) = home.glob("lib/python*/site-packages")
        # Searched last, so that the peer's pinned packages come first
        (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
        done.write_text(requirements.read_text())
    return python
