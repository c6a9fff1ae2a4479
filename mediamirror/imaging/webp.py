"""WebP without decoding (RFC 9649): RIFF, then VP8 (lossy), VP8L (lossless) or VP8X (extended)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from mediamirror.first_use import replace
from mediamirror.imaging.exif import NO_EXIF, Exif, read_exif
from mediamirror.imaging.octets import Octets, cut, damaged
from mediamirror.model import ImageFacts

_ICC, _ALPHA, _EXIF, _ANIMATION = 0x20, 0x10, 0x08, 0x02
_lossy = Struct("<B2x3sHH").unpack_from
_u32 = Struct("<I").unpack_from


def read(data: Octets) -> ImageFacts:
    """Read the canvas from the first 30 bytes; an EXIF chunk too where the data reaches that far."""
    kind = data[12:16]
    if len(data) < (25 if kind == b"VP8L" else 30):
        raise cut("WebP", len(data), "inside its header")
    if kind == b"VP8 ":
        return _read_lossy(data)
    if kind == b"VP8L":
        return _read_lossless(data)
    if kind == b"VP8X":
        return _read_extended(data)
    raise damaged("WebP", f"its first chunk is {kind!r}")


def _read_lossy(data: Octets) -> ImageFacts:
    tag, start, width, height = _lossy(data, 20)
    width &= 0x3FFF
    height &= 0x3FFF
    if tag & 1 or start != b"\x9d\x01\x2a" or not width or not height:
        raise damaged("WebP", "its VP8 frame header is wrong")
    return ImageFacts("webp", width, height, frames=1, alpha=False, icc=False, orientation=1, has_gps=False)


def _read_lossless(data: Octets) -> ImageFacts:
    bits = _u32(data, 21)[0]
    if data[20] != 0x2F or bits >> 29:
        raise damaged("WebP", "its VP8L signature is wrong")
    width, height, alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    return ImageFacts("webp", width, height, frames=1, alpha=alpha, icc=False, orientation=1, has_gps=False)


def _read_extended(data: Octets) -> ImageFacts:
    flags = data[20]
    # Browsers show a WebP as it is stored, whatever its EXIF says of the way up: the block can only tell a place.
    exif = _find_exif(data) if flags & _EXIF else NO_EXIF
    return ImageFacts(
        "webp",
        int.from_bytes(data[24:27], "little") + 1,
        int.from_bytes(data[27:30], "little") + 1,
        frames=None if flags & _ANIMATION else 1,
        alpha=bool(flags & _ALPHA),
        icc=bool(flags & _ICC),
        orientation=1,
        has_gps=exif.has_gps if exif else None,
    )


def read_whole(data: Octets) -> ImageFacts:
    """Read every chunk header: counts the frames and proves that the RIFF is all there.

    Bytes after the RIFF's end are no error: readers ignore them.
    """
    facts = read(data)
    check_size(data, len(data))
    if facts.frames is None:
        frames = sum(name == b"ANMF" for name, _, _ in chunks(data))
        facts = replace(facts, frames=frames or 1)
    return facts if facts.has_gps is not None else replace(facts, has_gps=False)


def check_size(data: Octets, size: int) -> None:
    """Raise `ImageTruncated` when the RIFF header promises more than the ``size`` bytes there are."""
    promised = _u32(data, 4)[0] + 8
    if promised > size:
        raise cut("WebP", size, f"its header promises {promised:,}")


def _find_exif(data: Octets) -> Exif | None:
    for name, start, end in chunks(data):
        if name == b"EXIF" and end <= len(data):
            return read_exif(data[start:end])
    return None


def chunks(data: Octets) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk inside the RIFF, as far as the data goes."""
    at, limit = 12, min(len(data), _u32(data, 4)[0] + 8)
    while at + 8 <= limit:
        size = _u32(data, at + 4)[0]
        yield data[at : at + 4], at + 8, at + 8 + size
        at += 8 + size + (size & 1)
