"""Metadata dropped without a re-encode: EXIF, XMP, IPTC, comments and all else that no pixel and no colour depends on.

What stays is named, format by format, so that a kind of metadata that nobody thought of goes too: pixel data, colour profiles and
colour chunks, transparency, animation. An orientation that turns the picture stays as an EXIF block of one entry. What follows
the end of the image goes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from mediamirror.errors import ImageError
from mediamirror.imaging.header import read_whole
from mediamirror.imaging.octets import NAMES, Octets
from mediamirror.imaging.strip import jpeg as strip_jpeg
from mediamirror.imaging.strip import png as strip_png
from mediamirror.imaging.strip import webp as strip_webp
from mediamirror.imaging.strip.parts import LeftAlone, Piece, joined
from mediamirror.model import ImageFacts

_PLANS: dict[str, Callable[[Octets, ImageFacts], list[Piece]]] = {
    "webp": strip_webp.plan,
    "jpeg": strip_jpeg.plan,
    "png": strip_png.plan,
}
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


def made(data: Octets, pieces: Sequence[Piece]) -> bytes:
    """Put the pieces together in memory."""
    return b"".join(piece if isinstance(piece, bytes) else data[slice(*piece)] for piece in pieces)


def strip(data: bytes) -> bytes:
    """Return an image without its metadata; the same bytes where there is none. Raises `LeftAlone`.

    Decoding gives the same pixels before and after.
    """
    return made(data, plan(data))
