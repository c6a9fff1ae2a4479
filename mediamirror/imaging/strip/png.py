"""PNG and APNG without metadata (PNG third edition, clause 11)."""

from __future__ import annotations

import struct
import zlib

from mediamirror.imaging.octets import Octets
from mediamirror.imaging.png import chunks
from mediamirror.imaging.strip.parts import LeftAlone, Piece, orientation_exif
from mediamirror.model import ImageFacts

_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_KEPT = _CRITICAL | {
    *(b"tRNS", b"bKGD", b"hIST", b"sPLT", b"sBIT", b"pHYs"),
    *(b"cHRM", b"gAMA", b"iCCP", b"sRGB", b"cICP", b"mDCV", b"cLLI"),
    *(b"acTL", b"fcTL", b"fdAT"),
}


def plan(data: Octets, facts: ImageFacts) -> list[Piece]:
    """Keep each chunk that pixels, colours, size on paper or animation depend on, with its own CRC. Raises `LeftAlone`."""
    pieces: list[Piece] = [(0, 8)]
    for name, start, end in chunks(data):
        if end + 4 > len(data) or not name.isalpha():
            raise LeftAlone("a chunk of it is damaged")
        if name[0] & 0x20 == 0 and name not in _CRITICAL:
            raise LeftAlone(f"it has a critical chunk {name.decode('ascii')}, which PNG does not know")
        if name in _KEPT:
            pieces.append((start - 8, end + 4))
        if name == b"IHDR" and (exif := orientation_exif(facts.orientation)):
            pieces.append(_chunk(b"eXIf", exif))
        if name == b"IEND":
            return pieces
    raise LeftAlone("it has no end")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
