"""JPEG without decoding (ITU T.81, annex B): marker segments up to the frame header, any of the SOF markers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from struct import Struct

from mediamirror.first_use import pattern, replace
from mediamirror.imaging.exif import NO_EXIF, PREFIX, otherwise, read_exif
from mediamirror.imaging.octets import NOTHING, Octets, cut, damaged
from mediamirror.model import ImageFacts

# A marker is FF, any number of FF as fill, then a code. In a scan, FF 00 is a data byte and D0 to D7 are restarts. The fill is
# passed over: a pattern that took it would be tried again from each byte of it.
next_marker = pattern(rb"\xff([^\xff])", re.DOTALL).search
end_of_scan = pattern(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL).search
_u16 = Struct(">H").unpack_from
_frame = Struct(">BHHB").unpack_from

SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SOI, EOI, SOS, _APP1, _APP2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2
_BITS_A_BLOCK = {0xC0: 2, 0xC1: 2, 0xC2: 1}
"""Least bits a block, by the frame's marker: baseline, extended and progressive with Huffman codes."""
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_ARITHMETIC = frozenset(range(0xC9, 0xD0))
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
BARE = frozenset({0x00, 0x01, SOI, *range(0xD0, 0xD8)})
_PASSED_OVER = frozenset({*range(0xE0, 0xF0), 0xFE})
"""APPn and COM."""


def read(data: Octets) -> ImageFacts:
    """Read the frame header, and the EXIF and ICC segments before the first scan, as far as the data goes.

    Of several EXIF segments browsers follow the first.
    """
    at = _frame_at(data)
    width, height = _frame_size(data, at)
    known = list(segments(data))
    found = exif_segments(data, known)
    blocks = [read_exif(data[start:end]) for start, end, _ in found]
    icc = any(marker == _APP2 and data[at + 2 : at + 14] == b"ICC_PROFILE\0" for marker, at, _ in known)
    nowhere = NOTHING if data[at - 1] in _ARITHMETIC else None
    facts = ImageFacts("jpeg", width, height, frames=1, icc=icc, alpha=False, in_firefox=nowhere)
    if not blocks and known[-1][0] != SOS:
        return facts  # the data ends before the first scan, and an EXIF segment may be still to come
    first = blocks[0] if blocks else NO_EXIF
    start, end, read_by_firefox = found[0] if found else (0, 0, False)
    return replace(
        facts,
        orientation=first.orientation,
        has_gps=any(block.has_gps for block in blocks),
        corrected=first.corrected(width, height),
        in_firefox=nowhere or otherwise(first, data[start:end] if read_by_firefox else b"", width, height),
    )


def exif_segments(data: Octets, known: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, bool]]:
    """Start and end of each EXIF structure among some `segments`, and whether Firefox reads it.

    That is so in the first APP1 segment alone, and with a padding of two zeros.
    """
    spans = [(at, end) for marker, at, end in known if marker == _APP1]
    found = [(at, end) for at, end in spans if is_exif(data, at, end)]
    return [(at + 8, end, at == spans[0][0] and data[at + 2 : at + 8] == PREFIX) for at, end in found]


def segments(data: Octets) -> Iterator[tuple[int, int, int]]:
    """Marker, offset of the length and end of each segment up to the first scan's header, as far as the data goes.

    Stray bytes between them are skipped, as decoders do; the last may end behind the data. Of a segment without length that
    decoders pass over, its two bytes of length are all. Raises `NotAnImage` for another one, and for a second start.
    """
    at = 2
    while (found := next_marker(data, at)) is not None:
        marker, at = found[1][0], found.end()
        _refuse_second_start(marker)
        if marker in BARE:
            continue
        if marker == EOI or at + 2 > len(data):
            return
        length = int(_u16(data, at)[0])
        if length < 2 and marker not in _PASSED_OVER:
            raise damaged("JPEG", "a segment has no length")
        length = max(2, length)
        yield marker, at, at + length
        if marker == SOS:
            return
        at += length


def _refuse_second_start(marker: int) -> None:
    if marker == SOI:
        raise damaged("JPEG", "a second start marker stands in it, and browsers show nothing")


def is_exif(data: Octets, at: int, end: int) -> bool:
    """Whether an APP1 segment holds EXIF; ``at`` is the offset of its length. The sixth byte is padding of any value."""
    return end > at + 8 and data[at + 2 : at + 7] == b"Exif\0"


def _frame_at(data: Octets) -> int:
    """The offset of the frame header's length."""
    odd = False
    for marker, at, _ in segments(data):
        if marker in SOF:
            return at
        if marker == SOS:
            raise damaged("JPEG", "a scan comes before any frame")
        odd = odd or _u16(data, at)[0] < 2
    if odd:
        raise damaged("JPEG", "a segment has no length, and no frame follows")
    raise cut("JPEG", len(data), "before its frame header")


def _frame_size(data: Octets, at: int) -> tuple[int, int]:
    """Width and height in pixels."""
    if at + 8 > len(data):
        raise cut("JPEG", len(data), "inside its frame header")
    _, height, width, _ = _frame(data, at + 2)
    if not width or not height:
        raise damaged("JPEG", f"its frame is {width} x {height}")
    return width, height


def read_whole(data: Octets) -> ImageFacts:
    """Walk all segments and scans to the end-of-image marker; what follows it (a second picture, junk) is not looked at."""
    facts, at = read(data), _frame_at(data)
    size, in_scan, coded, least, scans = len(data), False, 0, _least_coded(data, at), _Scans(data, at)
    at += _u16(data, at)[0]
    while True:
        found = (end_of_scan if in_scan else next_marker)(data, at)
        if found is None:
            raise cut("JPEG", size, "before its end marker")
        coded += found.start() - at if in_scan else 0
        marker, at = data[found.end() - 1], found.end()
        if marker == EOI:
            if coded < least:
                raise cut("JPEG", size, f"its picture takes {least:,} at least")
            if not scans.are_all():
                raise cut("JPEG", size, "and scans that would complete the picture are missing")
            return facts
        _refuse_second_start(marker)
        if marker in BARE:
            continue
        if at + 2 > size:
            raise cut("JPEG", size, "inside a segment")
        end = at + max(2, _u16(data, at)[0])
        if end > size:
            raise cut("JPEG", size, "inside a segment")
        if in_scan := marker == SOS:
            scans.add(data, at)
        at = end


class _Scans:
    """Which coefficients of each component scans have still to give, as a number with a bit for each (B.2.3, G.1.1.1)."""

    def __init__(self, data: Octets, frame: int) -> None:
        self._progressive = data[frame - 1] in _PROGRESSIVE
        self._missing = dict.fromkeys(data[frame + 8 : frame + 8 + 3 * data[frame + 7] : 3], 1)

    def add(self, data: Octets, at: int) -> None:
        """Note the scan whose header's length is at that offset."""
        end = at + 3 + 2 * data[at + 2]
        first, last, bits = (data[end], min(63, data[end + 1]), data[end + 2] & 15) if self._progressive else (0, 63, 0)
        given = max(0, (2 << last) - (1 << first))
        for component in data[at + 3 : end : 2]:
            missing = self._missing.get(component, 0)
            self._missing[component] = missing | given if bits else missing & ~given

    def are_all(self) -> bool:
        """Whether each component had a scan, and each coefficient that was begun all of its bits; others may be zero."""
        return not any(self._missing.values())


def _least_coded(data: Octets, at: int) -> int:
    """Bytes that the scans of a frame can't do without; ``at`` is the offset of its header's length. 0 where that is not known.

    With Huffman codes each block of 8 x 8 samples takes one bit at least for its DC coefficient (F.1.2.1, G.1.2.1), and in a
    sequential frame another that ends it (F.1.2.2). Decoders fill in what is missing with grey, and say nothing.
    """
    marker: int = data[at - 1]
    _, height, width, _ = _frame(data, at + 2)
    sampling = _sampling(data, at)
    if marker not in _BITS_A_BLOCK or not sampling:
        return 0
    across, down = max(h for h, _ in sampling), max(v for _, v in sampling)
    blocks: int = sum(-(-width * h // (8 * across)) * -(-height * v // (8 * down)) for h, v in sampling)
    return blocks * _BITS_A_BLOCK[marker] // 8


def _sampling(data: Octets, at: int) -> list[tuple[int, int]]:
    """The sampling factors of each component, across and down (B.2.2); none where they make no sense or are not all there."""
    count: int = data[at + 7]
    if count > 4 or at + 8 + 3 * count > len(data):
        return []
    factors = [(each >> 4, each & 15) for each in data[at + 9 : at + 8 + 3 * count : 3]]
    return factors if all(h and v for h, v in factors) else []


def components(data: Octets) -> int:
    """How many components the frame has: 1 for grey. Raises `ImageTruncated` or `NotAnImage` like `read`."""
    return int(data[_frame_at(data) + 7])


def held_coefficients(data: Octets) -> float:
    """Coefficients a pixel of the canvas that a decoder has to hold until the last scan is read.

    0 when the first scan of a sequential frame has every component: then blocks can be drawn as they come. Raises like `read`.
    """
    at = _frame_at(data)
    sampling = _sampling(data, at)
    if not sampling:
        return float(max(4, data[at + 7]))
    if data[at - 1] in _SEQUENTIAL and _first_scan(data, at + _u16(data, at)[0]) == len(sampling):
        return 0.0
    across, down = max(h for h, _ in sampling), max(v for _, v in sampling)
    return sum(h * v for h, v in sampling) / (across * down)


def _first_scan(data: Octets, at: int) -> int:
    """How many components the first scan has; 0 where the data ends before it."""
    while (found := next_marker(data, at)) is not None:
        marker, at = found[1][0], found.end()
        if marker in BARE:
            continue
        if at + 3 > len(data):
            return 0
        if marker == SOS:
            return int(data[at + 2])
        at += max(2, _u16(data, at)[0])
    return 0
