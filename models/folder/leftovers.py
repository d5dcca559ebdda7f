"""Leftovers: what systems and tools leave in folders without being asked, which is no part of a model.

Names that start with a dot are such: `._best.pt` and `.DS_Store` of macOS, `.ipynb_checkpoints` of Jupyter, and
`..data` of volumes of Kubernetes, to which the files beside it are links.
"""

from collections.abc import Iterable
from pathlib import Path

# Names in small letters: file systems without regard to case keep whichever form was used first
_LEFTOVERS = frozenset(
    {
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@recycle",
        "__macosx",
        "__pycache__",
        "desktop.ini",
        "ehthumbs.db",
        "icon\r",
        "lost+found",
        "recycler",
        "system volume information",
        "thumbs.db",
        "~snapshot",
    }
)


def is_leftover(name: str) -> bool:
    """Return whether an entry of this name in a folder is one that systems and tools leave behind."""
    return name.startswith(".") or name.lower() in _LEFTOVERS


def entries(folder: Path) -> list[Path]:
    """Return the entries of a folder without leftovers, by name. OSError where the folder cannot be listed."""
    return sorted(entry for entry in folder.iterdir() if not is_leftover(entry.name))


def leftovers(folder: str, names: Iterable[str]) -> set[str]:
    """Return those of `names` that are leftovers, as shutil.copytree asks what not to copy from a folder."""
    return set(filter(is_leftover, names))
