"""Metadata dropped without a re-encode: EXIF, XMP, IPTC, comments and all else that no pixel and no colour depends on.

What stays is named, format by format, so that a kind of metadata that nobody thought of goes too: pixel data, colour profiles and
colour chunks, transparency, animation. Of the EXIF block that browsers read, the orientation and the resolution stay where they
make another size or way up, at the place where they stood: what no browser follows is not made to be followed. What comes after the
end of the image goes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence

from mediamirror.errors import ImageError
from mediamirror.imaging.exif import PREFIX, bare_exif
from mediamirror.imaging.header import read_whole
from mediamirror.imaging.jpeg import BARE, EOI, SOF, SOS, end_of_scan, exif_segments, next_marker, segments
from mediamirror.imaging.octets import NAMES, Octets
from mediamirror.imaging.png import CRITICAL, flaw, is_sound
from mediamirror.imaging.png import chunks as png_chunks
from mediamirror.imaging.webp import chunks as webp_chunks
from mediamirror.model import ImageFacts, Span

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


_PNG_KEPT = CRITICAL | {
    *(b"tRNS", b"bKGD", b"hIST", b"sPLT", b"sBIT", b"pHYs"),
    *(b"cHRM", b"gAMA", b"iCCP", b"sRGB", b"cICP", b"mDCV", b"cLLI"),
    *(b"acTL", b"fcTL", b"fdAT"),
}


def _png(data: Octets, facts: ImageFacts) -> list[Piece]:
    """Keep each chunk that pixels, colours, size on paper or animation depend on, with its own CRC. Raises `LeftAlone`.

    A broken one that browsers pass over goes too.
    """
    pieces: list[Piece] = [(0, 8)]
    exif_seen = False
    for name, start, end in png_chunks(data):
        if end + 4 > len(data) or not name.isalpha():
            raise LeftAlone("a chunk of it is damaged")
        if name in CRITICAL or (name in _PNG_KEPT and flaw(data, name, start, end) is None):
            pieces.append((start - 8, end + 4))
        if name == b"eXIf" and not exif_seen and is_sound(data, start, end):
            # The first one counts for browsers, before the pixels; behind them it does for other readers.
            exif_seen = True
            exif = bare_exif(data[start:end], facts.width, facts.height)
            if exif == data[start:end]:
                pieces.append((start - 8, end + 4))
            elif exif:
                pieces.append(_chunk(b"eXIf", exif))
        if name == b"IEND":
            return pieces
    raise LeftAlone("it has no end")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_EXIF, _XMP = 0x08, 0x04


def _webp(data: Octets, facts: ImageFacts) -> list[Piece]:
    """Keep the chunks that the picture is made of, its colour profile and its animation. Raises `LeftAlone`."""
    size = struct.unpack_from("<I", data, 4)[0] + 8
    # No browser turns a WebP. Other readers do, and go on to.
    spans = [(start, end) for name, start, end in webp_chunks(data) if name == b"EXIF"]
    exif = bare_exif(data[slice(*spans[0])], facts.width, facts.height, firefox=False) if spans else b""
    pieces, length, dropped = list[Piece](), 4, size < len(data)
    for name, start, end in webp_chunks(data):
        if end > size or (name == b"VP8X" and end - start < 10):
            raise LeftAlone("a chunk of it is damaged")
        if name not in _WEBP_KEPT:
            dropped = dropped or name != b"EXIF" or data[start:end] != exif
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
        pieces.append(b"EXIF" + struct.pack("<I", len(exif)) + exif + b"\0" * (len(exif) & 1))
        length += 8 + len(exif) + (len(exif) & 1)
    return [b"RIFF" + struct.pack("<I", length) + b"WEBP", *pieces]


_APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_JFIF = 14
"""Bytes of a JFIF segment's content before its thumbnail (JFIF 1.02); the last two are the thumbnail's size."""


def _jpeg(data: Octets, facts: ImageFacts) -> list[Piece]:
    """Keep frames, tables and scans as they are, JFIF, Adobe's colour transform and the ICC profile. Raises `LeftAlone`.

    JFIF's thumbnail goes, and so do fill bytes between segments.
    """
    pieces: list[Piece] = [(0, 2)]
    at, in_scan, exif_at = 2, False, 1
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
            if in_scan:
                pieces.append((at - 2, at))
            continue
        end = _end(data, at, frame=marker in SOF)
        kept = _kept(data, marker, at, end)
        if kept and marker == _APP0 and len(pieces) == 1:
            exif_at = 1 + len(kept)
        pieces += kept
        at, in_scan = end, marker == SOS
    pieces[exif_at:exif_at] = _jpeg_exif(data, facts)
    return pieces


_NO_EXIF = b"\xff\xe1\0\2"
"""An APP1 segment of nothing: Firefox looks for EXIF in the first APP1 segment alone."""


def _jpeg_exif(data: Octets, facts: ImageFacts) -> list[Piece]:
    """The segments that make browsers show what they showed, each as it reads EXIF: none, where that is as it is without."""
    start, end, firefox = next(iter(exif_segments(data, list(segments(data)))), (0, 0, False))
    exif = bare_exif(data[start:end], facts.width, facts.height, firefox=firefox)
    if not exif:
        return []
    segment = struct.pack(">BBH", 0xFF, _APP1, 8 + len(exif)) + PREFIX + exif
    return [segment] if firefox else [_NO_EXIF, segment]


def _end(data: Octets, at: int, *, frame: bool) -> int:
    length = max(2, struct.unpack_from(">H", data, at)[0])
    if at + length > len(data) or (frame and length != 8 + 3 * data[at + 7]):
        raise LeftAlone("a segment of it is damaged")
    return at + int(length)


def _kept(data: Octets, marker: int, at: int, end: int) -> list[Piece]:
    """What stays of one segment, from its marker on; ``at`` is the offset of its length."""
    content = data[at + 2 : min(end, at + 16)]
    if marker == _APP0:
        return _jfif(content, at, end) if content[:5] == b"JFIF\0" and len(content) == _JFIF else []
    if marker == _APP2:
        return [(at - 2, end)] if content[:12] == b"ICC_PROFILE\0" and end > at + 16 else []
    if marker == _APP14:
        # libjpeg takes no shorter one for Adobe's, so that no colour depends on it.
        return [(at - 2, end)] if content[:5] == b"Adobe" and end >= at + 14 else []
    return [] if _APP1 <= marker <= _APP15 or marker == _COM else [(at - 2, end)]


def _jfif(content: bytes, at: int, end: int) -> list[Piece]:
    if content[12:] == b"\0\0" and end == at + 16:
        return [(at - 2, end)]
    # The thumbnail's size becomes 0 x 0; its pixels, and what else there is, are left out.
    return [b"\xff\xe0\0\x10", (at + 2, at + 14), b"\0\0"]


_PLANS: dict[str, Callable[[Octets, ImageFacts], list[Piece]]] = {"webp": _webp, "jpeg": _jpeg, "png": _png}
STRIPPED = tuple(_PLANS)
"""The formats whose metadata can be dropped, lower case."""


def plan(data: Octets) -> Sequence[Piece]:
    """Say of which pieces the stripped file is made: bytes of its own, and spans of ``data``.

    One span over all of ``data`` means that there is nothing to drop. Raises `LeftAlone` for other formats, and for a file that
    is cut short or whose structure is not what it should be.
    """
    try:
        facts = read_whole(data)
    except ImageError as error:
        raise LeftAlone(error.message) from error
    if facts.format not in _PLANS:
        raise LeftAlone(f"{NAMES[facts.format]} is stored as it is")
    try:
        return joined(_PLANS[facts.format](data, facts))
    except (IndexError, struct.error) as error:
        raise LeftAlone("its structure makes no sense") from error


def lost_picture(data: Octets, pieces: Sequence[Piece]) -> str | None:
    """What a JPEG loses that is a picture of its own behind its end, in words, such as what makes it brighter on some screens."""
    last = pieces[-1]
    if data[:2] != b"\xff\xd8" or not isinstance(last, tuple) or data.find(b"\xff\xd8\xff", last[1]) < 0:
        return None
    named = any(data.find(name) >= 0 for name in (b"hdrgm:", b"urn:iso:std:iso:ts:21496"))
    return "a gain map for brighter screens" if named else "a second picture"


def made(data: Octets, pieces: Sequence[Piece]) -> bytes:
    """Put the pieces together in memory."""
    return b"".join(piece if isinstance(piece, bytes) else data[slice(*piece)] for piece in pieces)


def strip(data: bytes) -> bytes:
    """Return an image without its metadata; the same bytes where there is none. Raises `LeftAlone`.

    Decoding gives the same pixels before and after.
    """
    return made(data, plan(data))
