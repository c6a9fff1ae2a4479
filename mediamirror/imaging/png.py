"""PNG and APNG without decoding (PNG third edition, clauses 5 and 11)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from struct import Struct

from mediamirror.errors import ImageOverBudget
from mediamirror.imaging.exif import NO_EXIF, read_exif
from mediamirror.imaging.octets import Octets, cut, damaged
from mediamirror.model import ImageFacts

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_size_and_name = Struct(">I4s").unpack_from
_header = Struct(">IIBB").unpack_from
_u32 = Struct(">I").unpack_from
_MAX_SIDE = 2**31 - 1


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
    """Add what one chunk says; a chunk that is not all there says nothing."""
    if end > len(data):
        return facts
    if name == b"acTL" and end - start == 8:
        frames = _u32(data, start)[0]
        return replace(facts, frames=frames) if 0 < frames <= _MAX_SIDE else facts
    if name == b"tRNS":
        return replace(facts, alpha=True)
    if name == b"iCCP":
        return replace(facts, icc=True)
    if name == b"eXIf":
        exif = read_exif(data[start:end])
        return replace(facts, orientation=exif.orientation, has_gps=exif.has_gps)
    return facts


def _settle(facts: ImageFacts) -> ImageFacts:
    """These can't come after the first IDAT, so what was not seen is not there."""
    return replace(facts, frames=facts.frames or 1, alpha=bool(facts.alpha), icc=bool(facts.icc))


def read_whole(data: Octets) -> ImageFacts:
    """Walk all chunks to IEND, counting the frames that are there (``fcTL``) besides those announced."""
    facts, controls = read(data), 0
    for name, start, end in chunks(data):
        if end + 4 > len(data):
            break
        if name == b"IEND":
            facts = _settle(facts)
            if facts.orientation is None:
                facts = replace(facts, orientation=NO_EXIF.orientation, has_gps=NO_EXIF.has_gps)
            animated = (facts.frames or 1) > 1
            return replace(facts, frames=max(facts.frames or 1, controls) if animated else 1)
        controls += name == b"fcTL"
        if name == b"eXIf":
            facts = _learn(facts, data, name, start, end)
    raise cut("PNG", len(data), "before its IEND chunk")


def chunks(data: Octets) -> Iterator[tuple[bytes, int, int]]:
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
