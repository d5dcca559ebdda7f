"""Text files as Windows writes them."""

import codecs
import json
from pathlib import Path

import pytest

from models.folder.signature import parse_signature
from server.api.auth import Keys
from settings.byte_order_mark import as_utf8
from settings.errors import SettingsError
from settings.json_file import JsonFile

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_text_is_the_same_with_any_mark(encoding: str) -> None:
    assert as_utf8("k\u00e9y\r\n".encode(encoding)).decode() == "k\u00e9y\r\n"
    big = codecs.BOM_UTF16_BE + "k\u00e9y".encode("utf-16-be")
    assert as_utf8(big).decode() == "k\u00e9y"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_all_keys_of_a_file_are_valid(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "keys"
    file.write_bytes("first\r\nsecond\r\n".encode(encoding))
    keys = Keys(file)
    for key in ("first", "second"):
        keys.check(f"Bearer {key}")


def test_keys_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(codecs.BOM_UTF16_LE + b"odd")
    with pytest.raises(SettingsError, match="cannot be read"):
        Keys(file)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_files_are_read(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(json.dumps({"k\u00e9y": 1}, ensure_ascii=False).encode(encoding))
    assert JsonFile.read(file).content == {"k\u00e9y": 1}
    file.write_bytes(codecs.BOM_UTF16_LE + b"{")
    with pytest.raises(SettingsError, match="is not valid JSON"):
        JsonFile.read(file)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_signatures_are_read(encoding: str) -> None:
    text = 'signature:\r\n  inputs: \'[{"name": "pict\u00fcre", "type": "binary"}]\'\r\n'
    assert parse_signature(Path("MLmodel"), text.encode(encoding)).image_column == "pict\u00fcre"
