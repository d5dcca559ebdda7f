"""Assembling: a model folder is located, verified, read, resolved and built, in this order.

Each file is opened once, and none is parsed before its hash has been compared.
"""

from pathlib import Path

from torch import nn

from models.definition import Definition, resolve
from models.folder.content import read
from models.folder.layout import locate
from models.folder.opened import OpenedFolder
from models.folder.verification import verify


def assemble(path: Path, *, verified: bool = False, strict: bool = False) -> tuple[Definition, nn.Module]:
    """Return the model in `path` and its network, float32 in evaluation mode on the CPU.

    `verified` says that somebody else has compared the hashes of the files just now. ModelError or SettingsError where
    the model cannot be served.
    """
    folder = locate(path)
    with OpenedFolder(folder) as files:
        if not verified:
            verify(files)
        content = read(files)
    definition = resolve(content, strict=strict)
    return definition, definition.build(content.checkpoint.state)
