"""CSV is read as the standard library reads it."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.codecs.csv_text import CsvError, csv_rows
from server.codecs.json_text import MOST_VALUES
from server.errors import ServiceError


def by_standard_library(text: str) -> list[list[str]] | str:
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        return "no CSV"


@settings(max_examples=1000, deadline=None)
@given(st.text('a ",\r\n', max_size=12))
def test_another_implementation_reads_the_same(text: str) -> None:
    try:
        found: list[list[str]] | str = csv_rows(text)
    except CsvError:
        found = "no CSV"
    assert found == by_standard_library(text)


@given(st.lists(st.lists(st.text(max_size=9), min_size=2, max_size=4), max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_what_was_written_is_read(rows: list[list[str]], line_end: str) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(rows)
    assert csv_rows(stream.getvalue()) == rows


@pytest.mark.parametrize("text", ["a," * MOST_VALUES, 'a,b\n"' + '""' * (MOST_VALUES + 1)], ids=["cells", "quotes"])
def test_too_many_cells_are_refused(text: str) -> None:
    with pytest.raises(ServiceError, match="more than 262144") as caught:
        csv_rows(text)
    assert caught.value.code == "too_many_values"


def test_rows_beyond_the_bound_are_not_read() -> None:
    assert len(csv_rows("a\n" * 70_000)) == 2**16
    assert csv_rows("\n" * 10**6 + "a\r\n\n\nb") == [["a"], ["b"]]
