"""JPEG without metadata (ITU T.81, annex B): of the application segments those stay that say what the colours are."""

from __future__ import annotations

import struct

from mediamirror.imaging.exif import read_exif
from mediamirror.imaging.jpeg import BARE, EOI, SOF, SOS, end_of_scan, next_marker
from mediamirror.imaging.octets import Octets
from mediamirror.imaging.strip.parts import LeftAlone, Piece, orientation_exif
from mediamirror.model import ImageFacts

_APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_JFIF = 14
"""Bytes of a JFIF segment's content before its thumbnail (JFIF 1.02); the last two are the thumbnail's size."""


def plan(data: Octets, facts: ImageFacts) -> list[Piece]:
    """Keep frames, tables and scans as they are, JFIF, Adobe's colour transform and the ICC profile. Raises `LeftAlone`.

    JFIF's thumbnail goes, and so do fill bytes between segments.
    """
    pieces: list[Piece] = [(0, 2)]
    at, in_scan, exif_at, turned = 2, False, 1, facts.orientation
    while True:
        found = (end_of_scan if in_scan else next_marker)(data, at)
        if found is None:
            raise LeftAlone("it has no end")
        marker = found[0][-1]
        if in_scan:
            pieces.append((at, found.start()))
        at = found.end()
        if marker == EOI:
            pieces.append((at - 2, at))
            break
        if marker in BARE:
            pieces.append((at - 2, at))
            continue
        end = _end(data, at, frame=marker in SOF)
        kept = _kept(data, marker, at, end)
        if kept and marker == _APP0 and len(pieces) == 1:
            exif_at = 1 + len(kept)
        if marker == _APP1 and turned in (None, 1) and data[at + 2 : at + 8] == b"Exif\0\0":
            # After the frame header too, where our reader does not look and others do.
            turned = read_exif(data[at + 8 : end]).orientation
        pieces += kept
        at, in_scan = end, marker == SOS
    if exif := orientation_exif(turned):
        pieces.insert(exif_at, struct.pack(">BBH", 0xFF, _APP1, 8 + len(exif)) + b"Exif\0\0" + exif)
    return pieces


def _end(data: Octets, at: int, *, frame: bool) -> int:
    length = struct.unpack_from(">H", data, at)[0]
    if length < 2 or at + length > len(data) or (frame and length != 8 + 3 * data[at + 7]):
        raise LeftAlone("a segment of it is damaged")
    return at + int(length)


def _kept(data: Octets, marker: int, at: int, end: int) -> list[Piece]:
    """What stays of one segment, from its marker on; ``at`` is the offset of its length."""
    content = data[at + 2 : min(end, at + 16)]
    if marker == _APP0:
        return _jfif(content, at, end) if content[:5] == b"JFIF\0" and len(content) == _JFIF else []
    if marker == _APP2:
        return [(at - 2, end)] if content[:12] == b"ICC_PROFILE\0" else []
    if marker == _APP14:
        return [(at - 2, end)] if content[:5] == b"Adobe" else []
    return [] if _APP1 <= marker <= _APP15 or marker == _COM else [(at - 2, end)]


def _jfif(content: bytes, at: int, end: int) -> list[Piece]:
    if content[12:] == b"\0\0" and end == at + 16:
        return [(at - 2, end)]
    # The thumbnail's size becomes 0 x 0; its pixels, and what else there is, are left out.
    return [b"\xff\xe0\0\x10", (at + 2, at + 14), b"\0\0"]
