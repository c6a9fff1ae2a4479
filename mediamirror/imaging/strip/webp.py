"""WebP without metadata (RFC 9649): the RIFF's size and the flags of VP8X say what is left."""

from __future__ import annotations

import struct

from mediamirror.imaging.octets import Octets
from mediamirror.imaging.strip.parts import LeftAlone, Piece, orientation_exif
from mediamirror.imaging.webp import chunks
from mediamirror.model import ImageFacts

_KEPT = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_EXIF, _XMP = 0x08, 0x04


def plan(data: Octets, facts: ImageFacts) -> list[Piece]:
    """Keep the chunks that the picture is made of, its colour profile and its animation. Raises `LeftAlone`."""
    size = struct.unpack_from("<I", data, 4)[0] + 8
    exif, pieces, length, dropped = orientation_exif(facts.orientation), list[Piece](), 4, size < len(data)
    for name, start, end in chunks(data):
        if end > size or (name == b"VP8X" and end - start < 10):
            raise LeftAlone("a chunk of it is damaged")
        if name not in _KEPT:
            dropped = True
            continue
        if name == b"VP8X":
            flags = data[start] & ~(_EXIF | _XMP) | (_EXIF if exif else 0)
            pieces += [(start - 8, start), bytes([flags]), (start + 1, end)]
        else:
            pieces.append((start - 8, end))
        pieces.append(b"\0" * (end - start & 1))
        length += 8 + (end - start) + (end - start & 1)
    if length == 4:
        raise LeftAlone("its size is wrong")
    if not dropped:
        return [(0, len(data))]
    if exif:
        pieces.append(b"EXIF" + struct.pack("<I", len(exif)) + exif)
        length += 8 + len(exif)
    return [b"RIFF" + struct.pack("<I", length) + b"WEBP", *pieces]
