import contextlib
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ipc.frame import Frame, FrameError, FrameKind, FrameReader

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FRAMES = st.builds(
    Frame,
    kind=st.sampled_from(FrameKind),
    number=st.integers(0, 2**64 - 1),
    fields=st.dictionaries(st.text(), JSON_VALUES, max_size=5),
    blobs=st.lists(st.binary(max_size=200), max_size=5),
)


def read_all(data: bytes, piece: int = 2**20) -> list[Frame]:
    reader = FrameReader()
    return [frame for at in range(0, len(data), piece) for frame in reader.feed(data[at : at + piece])]


def on_the_wire(*frames: Frame) -> bytes:
    return b"".join(part for frame in frames for part in frame.parts())


@given(st.lists(FRAMES, max_size=4), st.integers(1, 200))
def test_frames_arrive_as_they_were_sent_in_pieces_of_any_size(frames: list[Frame], piece: int) -> None:
    assert read_all(on_the_wire(*frames), piece) == frames


@given(FRAMES, st.data())
def test_a_frame_that_breaks_off_is_none(frame: Frame, data: st.DataObject) -> None:
    whole = on_the_wire(frame)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert read_all(whole[:cut]) == []


@given(st.binary(min_size=19, max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    if data[:2] != b"\x51\x67":
        with pytest.raises(FrameError):
            read_all(data)


@given(FRAMES, st.data())
def test_a_damaged_frame_never_raises_anything_else(frame: Frame, data: st.DataObject) -> None:
    whole = bytearray(on_the_wire(frame))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(FrameError):
        read_all(bytes(whole))


def test_a_length_that_no_memory_could_hold_is_refused_before_it_is_read() -> None:
    header = struct.pack("!HBQII", 0x5167, FrameKind.SCORE, 1, 2, 1) + struct.pack("!Q", 2**40) + b"{}"
    with pytest.raises(FrameError, match="1099511627776 bytes"):
        read_all(header)


@pytest.mark.parametrize("fields", [b"[]", b"{", b"\xff\xfe"], ids=["a list", "half an object", "no text"])
def test_fields_have_to_be_a_json_object(fields: bytes) -> None:
    with pytest.raises(FrameError, match="fields"):
        read_all(struct.pack("!HBQII", 0x5167, FrameKind.STATE, 1, len(fields), 0) + fields)


def test_the_fields_are_plain_json_so_that_a_frame_can_be_read_by_eye() -> None:
    assert json.loads(Frame(FrameKind.STATE, fields={"ready": True}).parts()[2]) == {"ready": True}
