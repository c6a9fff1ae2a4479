"""What the strippers of all formats share: pieces of a file, the one EXIF entry that stays, and the way out."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from mediamirror.model import Span

Piece = bytes | Span
"""Bytes of our own, or a span of the file's."""


class LeftAlone(Exception):
    """The file can't be stripped; the text says why."""


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Join spans that touch, and drop empty ones."""
    made: list[Piece] = []
    for piece in pieces:
        last = made[-1] if made else None
        if isinstance(piece, tuple) and isinstance(last, tuple) and piece[0] == last[1]:
            made[-1] = (last[0], piece[1])
        elif isinstance(piece, bytes) or piece[0] < piece[1]:
            made.append(piece)
    return made


def orientation_exif(orientation: int | None) -> bytes:
    """Return a TIFF structure that holds the orientation alone; nothing for an upright picture."""
    if orientation is None or orientation == 1:
        return b""
    # Big-endian; IFD0 at 8: one entry, tag 0x0112, type SHORT, one value; no further IFD.
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
