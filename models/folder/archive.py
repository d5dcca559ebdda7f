"""Archives: tells a packed folder from a file of weights, by its first bytes.

PyTorch's own files are zip archives too. Each of their members lies in one folder, which holds `data.pkl`.
"""

import re
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import BinaryIO

from models.errors import ModelError

# Zip archives start with a file, or, where they are empty or split, with another record
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00PK")
_SIGNATURES = {
    b"\x1f\x8b": "a gzip archive",
    b"\x1f\x9d": "a compress archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"\x04\x22\x4d\x18": "an lz4 archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"MSCF\x00\x00\x00\x00": "a cab archive",
}
_TAR_BLOCK = 512
_ZIP_RECORD = struct.Struct("<26xHH")  # lengths of the name and of the extra field
# What PyTorch writes first into its archives, by version; a file that was cut off still has it
_FIRST_OF_TORCH = re.compile(r"[^/]+/(data\.pkl|constants\.pkl|version|byteorder|\.format_version|data/\d+)")


def archive_name(stream: BinaryIO) -> str | None:
    """Return what an archive is called, such as "a zip archive"; None for a file of weights, and for anything else.

    The stream is left at another place.
    """
    stream.seek(0)
    start = stream.read(_TAR_BLOCK)
    if start.startswith(_ZIP):
        return None if _is_of_torch(stream, start) else "a zip archive"
    named = next((name for signature, name in _SIGNATURES.items() if start.startswith(signature)), None)
    return named or ("a tar archive" if _is_tar(start) else None)


def refuse_archive(file: Path, stream: BinaryIO) -> None:
    """Raise ModelError where `file`, which is open as `stream`, is an archive."""
    if (packed := archive_name(stream)) is not None:
        raise ModelError(f"{file} is {packed}. Unpack it, and name the folder or the file of weights that it holds.")


def _is_of_torch(stream: BinaryIO, start: bytes) -> bool:
    try:
        names = zipfile.ZipFile(stream).namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):  # cut off, or damaged
        first = _first_name(start)  # without one, nothing tells what it was
        return start.startswith(_ZIP[0]) and (not first or _FIRST_OF_TORCH.fullmatch(first) is not None)
    folders = {name.partition("/")[0] for name in names}
    return len(folders) == 1 and f"{folders.pop()}/data.pkl" in names


def _first_name(start: bytes) -> str:
    if len(start) < _ZIP_RECORD.size:
        return ""
    length, _ = _ZIP_RECORD.unpack_from(start)
    return start[_ZIP_RECORD.size :][:length].decode("utf-8", "replace")


def _is_tar(start: bytes) -> bool:
    if len(start) < _TAR_BLOCK or not any(start):
        return False
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")  # compares the checksum
    except tarfile.HeaderError:
        return False
    return True
