"""What a bitstream announces, whatever its container says; sequence headers are made bit by bit (AV1, 5.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fixtures.hostile.pictures import avif_understating, gif_late_frame
from fixtures.images import encode, make_animation
from mediamirror.imaging.avif import frame_size, largest_coded, read
from mediamirror.imaging.gif import largest_extent


def obu(bits: str, *, kind: int = 1, sized: bool = True) -> bytes:
    body = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big") if bits else b""
    return bytes([kind << 3 | sized << 1, *([len(body)] if sized else [])]) + body


def number(value: int, count: int) -> str:
    return format(value, f"0{count}b")


SIZE = number(12, 4) + number(11, 4) + number(4999, 13) + number(2499, 12) + "0" * 20
REDUCED = "000" + "1" + "1" + "01000" + SIZE
PLAIN = "000" + "0" + "0" + "0" + "0" + "00000" + "0" * 12 + "01001" + "1" + SIZE
TIMED = "000" + "00" + "1" + "0" * 64 + "1" + "0001" + "101" + "1" + number(9, 5) + "0" * 42 + "1" + number(1, 5)
TIMED += ("0" * 12 + "00111" + "1" + "0" * 21 + "1" + "0011" + "0" * 12 + "11111" + "1" + "0" + "0") + SIZE


@pytest.mark.parametrize(
    "data",
    [
        obu(REDUCED),
        obu(REDUCED, sized=False),
        obu("", kind=2) + obu(REDUCED),
        obu(PLAIN),
        obu(TIMED),
    ],
)
def test_the_largest_frame_stands_in_the_sequence_header(data: bytes) -> None:
    assert frame_size(data) == (5000, 2500)


@pytest.mark.parametrize("data", [b"", obu(REDUCED)[:5], obu(PLAIN, kind=6), b"\x12" + b"\xff" * 20, obu("", kind=1)])
def test_where_there_is_none_nothing_is_told(data: bytes) -> None:
    assert frame_size(data) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    size = frame_size(b"\x0a" + data)
    assert size is None or min(size) > 0


@pytest.mark.parametrize("size", [(48, 32), (1, 1), (301, 97)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_of_an_honest_avif_it_is_the_canvas(size: tuple[int, int], mode: str) -> None:
    assert largest_coded(encode(Image.new(mode, size), "avif", speed=10)) == size[0] * size[1]
    assert largest_coded(make_animation(*size, "avif", frames=3)) == size[0] * size[1]


@pytest.mark.parametrize("moving", [False, True])
def test_an_avif_that_understates_itself_is_found_out(moving: bool) -> None:
    data = avif_understating(600, moving=moving)
    assert (read(data).width, read(data).height) == (48, 32)
    assert largest_coded(data) == 600 * 600


def test_a_late_frame_that_is_larger_than_the_canvas_counts() -> None:
    assert largest_extent(gif_late_frame(300)) == 300 * 300
    assert largest_extent(make_animation(96, 64, "gif", frames=3)) == 96 * 64
