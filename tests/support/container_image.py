"""Image: the last stage of the Dockerfile, replayed in a folder."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tests.support.repository import ROOT


@dataclass
class ContainerImage:
    """The last stage of the Dockerfile, replayed below `app`, which stands for /app."""

    app: Path
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    user: str = "root"


def instructions() -> Iterator[tuple[str, str]]:
    """Yield the instructions of the Dockerfile, each as its first word and the rest."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest


def _allowed_by_dockerignore(path: Path) -> bool:
    allowed = True
    parts = [str(part) for part in (path, *path.parents)]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern, keeps = line.strip().removeprefix("!").removeprefix("/"), line.startswith("!")
        names = path.parts if pattern.startswith("**/") else parts
        if pattern and not pattern.startswith("#"):
            matches = any(fnmatch(name, pattern.removeprefix("**/")) for name in names)
            allowed = keeps if matches else allowed
    return allowed


def _copy_from_context(sources: list[str], app: Path, target: str) -> None:
    tracked = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    context = [Path(line) for line in tracked.splitlines() if _allowed_by_dockerignore(Path(line))]
    for source in sources:
        files = [file for file in context if file == Path(source) or Path(source) in file.parents]
        assert files, f"COPY {source}: the build context does not hold it"
        for file in files:
            inside = file.relative_to(source) if file != Path(source) else Path(file.name if target == "./" else "")
            place = app / target / inside
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, place)


def replay(app: Path) -> ContainerImage:
    """Do below `app`, which holds an environment already, what building the image does."""
    image = ContainerImage(app)
    for word, rest in instructions():
        if word == "FROM":  # the venv is all that one stage takes over from the other
            for entry in app.iterdir():
                if entry.name != ".venv":
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            image.env.clear()
        elif word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            _copy_from_context(sources, app, target)
        elif word == "RUN" and not rest.startswith("useradd"):
            command = rest.replace("/app", str(app))
            subprocess.run(command, shell=True, check=True, cwd=app, env=os.environ | {"TORCH_INDEX": ""})
        elif word == "ENV":
            image.env |= dict(re.findall(r"(\w+)=(\S+)", rest))
        elif word == "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        elif word == "HEALTHCHECK":
            image.health = json.loads(rest.partition("CMD ")[2])
        elif word == "USER":
            image.user = rest
    return image


def image_environment() -> dict[str, str]:
    """Return the variables of the last stage."""
    environment: dict[str, str] = {}
    for word, rest in instructions():
        if word == "FROM":
            environment = {}
        elif word == "ENV":
            environment |= dict(re.findall(r"(\w+)=(\S+)", rest))
    return environment


def image_user() -> str:
    """Return the user that the image runs as."""
    return [rest for word, rest in instructions() if word == "USER"][-1]
