import base64
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.codecs.base64_image import decode_base64
from server.ipc.outcome import Failure
from tests.support.contract import contract

DATA = bytes(range(256))


@contract("Requests", "Base64 may be broken into lines", "better", "URL-safe base64 and missing padding are read too")
@given(st.binary(max_size=300))
def test_every_common_spelling_is_read(data: bytes) -> None:
    standard = base64.b64encode(data).decode()
    assert decode_base64(standard) == data
    assert decode_base64(base64.encodebytes(data).decode()) == data
    assert decode_base64(standard.rstrip("=")) == data
    assert decode_base64(base64.urlsafe_b64encode(data).decode()) == data
    assert decode_base64("data:image/jpeg;base64," + standard) == data
    assert decode_base64(f"\r\n {standard}\t") == data
    assert decode_base64("DATA:image/png;base64," + standard) == data
    assert decode_base64('\n data:image/png;charset=utf-8;name="a, b.png";BASE64,\n' + standard) == data
    assert decode_base64("\ufeff" + standard) == data


@settings(max_examples=300)
@given(st.binary(min_size=60, max_size=900), st.sampled_from([64, 76]), st.sampled_from([" ", "\r\n  ", " \n", "\n\t"]))
def test_lines_may_be_broken_by_any_white_space(data: bytes, length: int, between: str) -> None:
    standard = base64.b64encode(data).decode()
    lines = [standard[at : at + length] for at in range(0, len(standard), length)]
    assert decode_base64(between.join(lines)) == data


@given(st.integers(0, 2**32))
def test_blanks_that_were_plus_signs_are_plus_signs_again(seed: int) -> None:
    # no image begins or ends with a plus sign
    data = b"\xff\xd8" + random.Random(seed).randbytes(1000 + seed % 3) + b"\xff\xd9"
    standard = base64.b64encode(data).decode()
    for text in (standard, "data:image/png;base64," + standard, base64.encodebytes(data).decode()):
        assert decode_base64(text.replace("+", " ")) == data


def test_blanks_that_are_neither_lines_nor_plus_signs_are_named() -> None:
    failure = decode_base64("AAA AAAA AA==")
    assert isinstance(failure, Failure)
    assert 'Perhaps a "+" became a blank' in failure.message
    assert isinstance(decode_base64("A A" * 1000 + "A="), Failure)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("%%%%", "not valid base64"),
        ("A", "not valid base64"),
        ("AAA$AAAA", "not valid base64"),
        ("AA=AAAAA", "not valid base64"),
        ("b\u00fccher", "not valid base64"),
        (None, "NoneType"),
        (17, "int"),
        (["AAAA"], "list"),
        ({"b64": "AAAA"}, "the keys ['b64']"),
    ],
    ids=[
        "no alphabet",
        "one character",
        "a stray dollar",
        "padding inside",
        "umlaut",
        "null",
        "number",
        "list",
        "keys",
    ],
)
def test_anything_else_is_refused_with_its_reason(given: object, why: str) -> None:
    failure = decode_base64(given)
    assert isinstance(failure, Failure)
    assert failure.code == "base64_invalid"
    assert why in failure.message


@given(st.text(max_size=100))
def test_no_text_raises(text: str) -> None:
    assert isinstance(decode_base64(text), (bytes, Failure))


@contract(
    "Errors and bad images",
    "Characters that are not base64 are skipped, and the image is then unreadable",
    "better",
    "such a text is refused, with the reason",
)
def test_junk_is_not_skipped() -> None:
    # a lenient decoder would drop the tilde and hand a broken image on
    assert isinstance(decode_base64(base64.b64encode(DATA).decode()[:100] + "~" + "A" * 7), Failure)
