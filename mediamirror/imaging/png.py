"""PNG and APNG without decoding (PNG third edition, clauses 5 and 11)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import takewhile
from struct import Struct

from mediamirror.errors import ImageOverBudget
from mediamirror.first_use import replace
from mediamirror.imaging.exif import NO_EXIF, Exif, otherwise, read_exif
from mediamirror.imaging.octets import Octets, cut, damaged
from mediamirror.model import ImageFacts

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_size_and_name = Struct(">I4s").unpack_from
_header = Struct(">IIBB").unpack_from
_u32 = Struct(">I").unpack_from
_MAX_SIDE = 2**31 - 1
CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_TELLING = frozenset({b"acTL", b"tRNS", b"iCCP", b"eXIf"})
_LENGTHS = {b"pHYs": 9, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"tIME": 7, b"cICP": 4, b"acTL": 8}
"""Bytes that the content of a chunk has (11.3)."""
_COLOUR, _PALETTE = 25, 3
"""Where IHDR says what a pixel is made of (11.2.1), and what it says there where that is a place in PLTE."""
_TRANSPARENT = {0: 2, 2: 6}
"""Bytes of tRNS where it names one colour, which is grey or not."""
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MOST_INFLATED = 1024 * 1024 * 1024


def read(data: Octets) -> ImageFacts:
    """Read IHDR and the chunks before the first IDAT (or the end), as far as the data goes."""
    if len(data) < 33:
        raise cut("PNG", len(data), "inside its header")
    if data[8:16] != b"\0\0\0\rIHDR":
        raise damaged("PNG", f"its first chunk is {data[12:16]!r}, not IHDR")
    width, height, _, colour = _header(data, 16)
    if not 0 < width <= _MAX_SIDE or not 0 < height <= _MAX_SIDE:
        raise damaged("PNG", f"its header says {width} x {height}")
    facts = ImageFacts("png", width, height, alpha=True if colour in (4, 6) else None, icc=None)
    for name, start, end in chunks(data):
        if name in (b"IDAT", b"IEND"):
            return _settle(facts)
        facts = _learn(facts, data, name, start, end)
    return facts


def _learn(facts: ImageFacts, data: Octets, name: bytes, start: int, end: int) -> ImageFacts:
    """Add what one chunk says; one that is not all there says nothing, nor does one with a wrong check value."""
    if end > len(data) or name not in _TELLING or not is_sound(data, start, end):
        return facts
    if name == b"acTL" and end - start == 8:
        frames = _u32(data, start)[0]
        return replace(facts, frames=frames) if 0 < frames <= _MAX_SIDE else facts
    if name == b"tRNS":
        return replace(facts, alpha=True) if flaw(data, name, start, end) is None else facts
    if name == b"iCCP":
        return replace(facts, icc=True)
    if name == b"eXIf":
        exif = read_exif(data[start:end])
        if facts.orientation is not None:
            return replace(facts, has_gps=facts.has_gps or exif.has_gps)
        # No resolution counts in a PNG, but in Firefox.
        turned = Exif(exif.orientation)
        there = otherwise(turned, data[start:end], facts.width, facts.height)
        return replace(facts, orientation=exif.orientation, has_gps=exif.has_gps, in_firefox=there)
    return facts


def is_sound(data: Octets, start: int, end: int) -> bool:
    """Whether a chunk's check value, over its name and content, is right (5.5)."""
    return data[end : end + 4] == zlib.crc32(data[start - 4 : end]).to_bytes(4, "big")


def _settle(facts: ImageFacts) -> ImageFacts:
    """These can't come after the first IDAT, or say nothing to a browser there, so what was not seen is not there."""
    orientation = facts.orientation or NO_EXIF.orientation
    return replace(
        facts, frames=facts.frames or 1, alpha=bool(facts.alpha), icc=bool(facts.icc), orientation=orientation
    )


def flaw(data: Octets, name: bytes, start: int, end: int) -> str | None:
    """What is wrong with a chunk that is all there, in words; what lies inside of it is looked at only where that has a length."""
    if not is_sound(data, start, end):
        return "its check value is wrong"
    length = _TRANSPARENT.get(data[_COLOUR]) if name == b"tRNS" else _LENGTHS.get(name)
    if length is not None and end - start != length:
        return f"it has {end - start:,} bytes in place of {length}"
    if name == b"iCCP" and not _is_profile(data[start:end]):
        return "it holds no compressed profile"
    return None


def _is_profile(content: bytes) -> bool:
    """Whether an iCCP chunk has a name, the one method of compression, and something compressed (11.3.2.3)."""
    name, _, packed = content.partition(b"\0")
    try:
        return bool(name) and packed[:1] == b"\0" and len(zlib.decompressobj().decompress(packed[1:], 128)) == 128
    except zlib.error:
        return False


def _require(data: Octets, name: bytes, start: int, end: int) -> None:
    """Raise `NotAnImage` for a critical chunk that browsers and libpng refuse, or stop at. Of IDAT, `_require_pixels` judges."""
    told = name.decode("ascii", "replace")
    if name not in CRITICAL:
        raise damaged("PNG", f"it has a critical chunk {told}, which PNG does not know")
    if name == b"IHDR" and start != 16:
        raise damaged("PNG", "it has two headers")
    if name == b"PLTE" and (end - start) % 3:
        raise damaged("PNG", "its palette ends inside a colour")
    if name in (b"IHDR", b"PLTE") and not is_sound(data, start, end):
        raise damaged("PNG", f"the check value of its {told} chunk is wrong")


def _require_pixels(data: Octets, pixels: list[Chunk]) -> Iterator[str]:
    """Raise `NotAnImage` for an IDAT chunk with a wrong check value before the pixels have ended, where browsers stop.

    Where the pixels end and behind that they look at no check value any more: that is a note, which this yields. That all of the
    pixels are right says a check value of their own, at the end of what is compressed.
    """
    wrong = [at for at, (_, start, end) in enumerate(pixels) if not is_sound(data, start, end)]
    if not wrong:
        return
    last = _end_of_pixels(data, pixels)
    if last is None or wrong[0] < last:
        raise damaged("PNG", "the check value of its IDAT chunk is wrong")
    yield "IDAT chunk: its check value is wrong, and the pixels are whole"


def _end_of_pixels(data: Octets, pixels: list[Chunk]) -> int | None:
    """The number of the IDAT chunk in which the compressed pixels end, whole; None where they are not or are too many to look."""
    width, height, depth, colour = _header(data, 16)
    # Twice as much as without interlacing, which adds some bytes; more is no picture of this size.
    left = 2 * height * (2 + width * depth * _SAMPLES.get(colour, 4) // 8)
    stream = zlib.decompressobj()
    if left > _MOST_INFLATED:
        return None
    try:
        for at, (_, start, end) in enumerate(pixels):
            packed: bytes = data[start:end]
            while packed and not stream.eof and left > 0:
                left -= len(stream.decompress(packed, 1024 * 1024))
                packed = stream.unconsumed_tail
            if stream.eof:
                return at
    except zlib.error:
        return None
    return None


def _require_before_pixels(data: Octets, whole: list[Chunk]) -> None:
    """Raise `NotAnImage` for a palette that is missing or there twice, and for two mistakes at which Chromium shows nothing."""
    palettes, indexed = 0, data[_COLOUR] == _PALETTE
    for name, start, end in takewhile(lambda chunk: chunk[0] != b"IDAT", whole):
        palettes += name == b"PLTE" and (end > start or not indexed)
        if palettes > 1:
            raise damaged("PNG", "it has two palettes")
        if name == b"bKGD" and indexed and not palettes and end > start:
            raise damaged("PNG", "its bKGD chunk stands before its palette, at which Chromium shows nothing")
        if name == b"cICP" and end - start == 4 and data[start + 2]:
            raise damaged("PNG", "its cICP chunk asks for matrix coefficients, at which Chromium shows nothing")
    if indexed and not palettes:
        raise damaged("PNG", "its pixels are places in a palette, and there is none before them")


def read_whole(data: Octets) -> ImageFacts:
    """Walk all chunks to IEND, counting the frames that are there (``fcTL``) besides those announced.

    A broken chunk that a picture needs is `NotAnImage`; one that it does not need, a note.
    """
    facts = read(data)
    whole = list(_whole_chunks(data))
    notes = list[str]()
    for name, start, end in whole:
        if not name[0] & 0x20:
            _require(data, name, start, end)
        elif (wrong := flaw(data, name, start, end)) is not None:
            notes.append(f"{name.decode('ascii', 'replace')} chunk: {wrong}")
        elif name == b"eXIf":
            facts = _learn(facts, data, name, start, end)
    _require_before_pixels(data, whole)
    notes += _require_pixels(data, [each for each in whole if each[0] == b"IDAT"])
    pixels = [at for at, (name, _, _) in enumerate(whole) if name == b"IDAT"]
    if pixels and pixels[-1] - pixels[0] >= len(pixels):
        raise damaged("PNG", "another chunk stands between its IDAT chunks, where readers stop")
    controls = sum(name == b"fcTL" for name, _, _ in whole)
    if not controls and _announces(data, whole):
        raise damaged("PNG", "it announces an animation and holds no frame of it, so that browsers show nothing")
    frames = max(facts.frames or 1, controls) if (facts.frames or 1) > 1 else 1
    return replace(_settle(facts), has_gps=bool(facts.has_gps), notes=tuple(dict.fromkeys(notes)), frames=frames)


Chunk = tuple[bytes, int, int]
"""Name, start and end of a chunk's content."""


def _whole_chunks(data: Octets) -> Iterator[Chunk]:
    """The chunks up to IEND. Raises `ImageTruncated` where that is not all there."""
    for name, start, end in chunks(data):
        if end + 4 > len(data):
            break
        yield name, start, end
        if name == b"IEND":
            return
    raise cut("PNG", len(data), "before its IEND chunk")


def _announces(data: Octets, whole: list[Chunk]) -> bool:
    """Whether there is an animation by a sound acTL before the pixels (11.3.6.1)."""
    before = takewhile(lambda chunk: chunk[0] != b"IDAT", whole)
    return any(n == b"acTL" and flaw(data, n, start, end) is None and _u32(data, start)[0] for n, start, end in before)


def chunks(data: Octets) -> Iterator[Chunk]:
    """Name, start and end of the content of each chunk whose header is there. A CRC of four bytes follows each."""
    at, size = 8, len(data)
    while at + 8 <= size:
        length, name = _size_and_name(data, at)
        yield name, at + 8, at + 8 + length
        at += 12 + length


def check_text(data: Octets, limit: int) -> None:
    """Raise `ImageOverBudget` when the compressed texts and profiles unpack to more than ``limit`` bytes in all."""
    left = limit
    for name, start, end in chunks(data):
        if name in (b"zTXt", b"iTXt", b"iCCP"):
            left -= _unpacked_size(name, data[start:end], left)
        if left < 0:
            raise ImageOverBudget(f"The PNG's texts unpack to more than {limit:,} bytes, which is the limit.")


def _unpacked_size(name: bytes, chunk: bytes, limit: int) -> int:
    """Bytes that a chunk's compressed part unpacks to, counting no further than one past ``limit``."""
    rest = chunk.partition(b"\0")[2]
    if name == b"iTXt":
        if rest[:1] != b"\1":
            return 0
        rest = b"\0" + rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    try:
        return len(zlib.decompressobj().decompress(rest[1:], limit + 1))
    except zlib.error:
        return 0
