"""What errors quote stays short, and is whole where it is short already."""

from typing import Any

import pytest

from settings.excerpt import counted, excerpt, shortened


@pytest.mark.parametrize("value", [None, 7, -0.5, "text", "it's", ["a", 1], {"b": [True]}, b"bytes"])
def test_what_is_short_is_quoted_whole(value: Any) -> None:
    assert excerpt(value) == repr(value)


@pytest.mark.parametrize(
    "value", ["x" * 10**6, list(range(10**5)), {str(n): "y" * 1000 for n in range(10**4)}, [[[[1]]]]]
)
def test_what_is_long_or_deep_is_cut(value: Any) -> None:
    assert len(excerpt(value)) <= 200
    assert "..." in excerpt(value)


def test_a_text_loses_its_middle() -> None:
    assert shortened("abcdefghij", 9) == "abc...hij"
    assert shortened("abcdefghij", 8) == "ab...hij"
    assert shortened("abcdefghij", 10) == "abcdefghij"


def test_one_thing_has_no_plural() -> None:
    assert [counted(count, "fault") for count in (0, 1, 2, 1920)] == ["0 faults", "1 fault", "2 faults", "1,920 faults"]
