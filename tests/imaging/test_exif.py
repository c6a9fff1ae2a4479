"""EXIF as two browsers read it: what each makes of a block that they read differently, and that both go on to when it is stripped."""

from __future__ import annotations

import struct

import pytest

from fixtures.turned import ODD, SIX, UNSEEN, dense, jpeg, png, tiff
from mediamirror.imaging.exif import bare_exif, read_as_firefox, read_exif
from mediamirror.imaging.header import read_whole
from mediamirror.imaging.jpeg import is_exif, segments
from mediamirror.imaging.strip import strip

SECRET = b"Anna-Kowalska-4711"


def of_segment(data: bytes) -> bytes:
    """The content of the first Exif segment."""
    return next(data[start + 8 : end] for _, start, end in segments(data) if is_exif(data, start, end))


@pytest.mark.parametrize("name", ODD)
def test_each_browsers_reading_is_known_and_kept_by_what_is_left_of_a_block(name: str) -> None:
    block, chromium, firefox = ODD[name]
    assert (read_exif(block).orientation, read_as_firefox(block).orientation) == (chromium, firefox)
    bare = bare_exif(block, 64, 48)
    assert (read_exif(bare).orientation, read_as_firefox(bare).orientation) == (chromium, firefox)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_size_by_resolution_is_kept_for_both_whatever_the_byte_order(order: str) -> None:
    bare = bare_exif(dense((32, 24), (144, 144), order=order, orientation=6), 64, 48)
    assert [each.corrected(64, 48) for each in (read_exif(bare), read_as_firefox(bare))] == [(32, 24), (32, 24)]


def test_a_size_that_another_width_takes_back_in_firefox_is_taken_back_after_stripping() -> None:
    entries = [
        (0x011A, 5, 1, (144, 1)),
        (0x011B, 5, 1, (144, 1)),
        (0x0128, 3, 1, 2),
        (0xA002, 4, 1, 32),
        (0xA003, 4, 1, 24),
    ]
    bare = bare_exif(tiff([*entries, (0xA002, 4, 1, 5)]), 64, 48)
    assert read_exif(bare).corrected(64, 48) == (32, 24)
    assert read_as_firefox(bare).corrected(64, 48) is None


@pytest.mark.parametrize("name", UNSEEN)
def test_what_firefox_does_not_see_stays_behind_another_segment(name: str) -> None:
    stripped = strip(UNSEEN[name])
    first = next(stripped[start:end] for marker, start, end in segments(stripped) if marker == 0xE1)
    assert first == b"\0\2"
    assert read_whole(stripped).natural == read_whole(UNSEEN[name]).natural
    assert strip(stripped) == stripped


def test_a_plain_turned_jpeg_gets_no_further_segment() -> None:
    assert len([marker for marker, *_ in segments(strip(jpeg(SIX))) if marker == 0xE1]) == 1


def test_what_is_left_tells_nothing_else() -> None:
    for block, *_ in ODD.values():
        assert SECRET not in strip(jpeg(block + SECRET))
        assert SECRET not in strip(png(block + SECRET))


def test_entries_that_all_lead_to_a_directory_of_such_entries_are_read_in_no_time() -> None:
    count = 5_000
    looped = b"II*\0" + struct.pack("<IH", 8, count) + struct.pack("<HHII", 0x8769, 4, 1, 8) * count
    apart = [struct.pack("<HHII", 0x8769, 4, 1, 10 + 12 * number) for number in range(count)]
    for block in (looped, b"II*\0" + struct.pack("<IH", 8, count) + b"".join(apart)):
        counted = Counted(block)
        read_exif(counted)
        read_as_firefox(counted)
        assert counted.reads < 40 * count


class Counted(bytes):
    """Bytes that count how often a part of them is taken."""

    reads = 0

    def __getitem__(self, key):  # type: ignore[no-untyped-def]
        self.reads += 1
        return super().__getitem__(key)
