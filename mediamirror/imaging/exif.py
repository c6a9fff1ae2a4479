"""What we want from EXIF, read as browsers read it: which way is up, how large at what resolution; and whether it tells a place.

Layout of TIFF 6.0: byte order, IFD0, entries of 12 bytes. Of entries that stand twice the first sound one counts, and the Exif
IFD is read where its entry stands, as Chromium does (docs/decisions/0051-natural-size.md).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mediamirror.first_use import dataclass, replace

if TYPE_CHECKING:
    from PIL import Image

PREFIX = b"Exif\0\0"
"""What JPEG puts before the TIFF structure."""
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
EXIF_IFD, _GPS_IFD, X_DIMENSION, Y_DIMENSION = 0x8769, 0x8825, 0xA002, 0xA003
_GPS_LATITUDE, _GPS_LONGITUDE = 2, 4
SHORT, LONG, RATIONAL = 3, 4, 5
_TAKEN = frozenset({X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, X_DIMENSION, Y_DIMENSION, ORIENTATION})
_INCH, _USUAL_RESOLUTION = 2, 72


@dataclass(frozen=True, slots=True)
class Exif:
    """``orientation`` is 1 to 8 (1 when absent); ``has_gps`` means that latitude and longitude are there.

    ``resolution`` is in pixels per inch, across and down, and ``dimensions`` the size in pixels that belongs to it; None where
    one of them is not there, or the unit is none.
    """

    orientation: int = 1
    has_gps: bool = False
    resolution: tuple[float, float] | None = None
    dimensions: tuple[int, int] | None = None

    def corrected(self, width: int, height: int) -> tuple[int, int] | None:
        """The dimensions, where the resolution makes them of a canvas: HTML, "density-corrected natural width and height".

        None where it does not, and where they are the canvas.
        """
        if self.resolution is None or self.dimensions is None or self.dimensions == (width, height):
            return None
        pairs = zip((width, height), self.resolution, strict=True)
        made = tuple(int(side * _USUAL_RESOLUTION / dots + 0.5) for side, dots in pairs)
        return self.dimensions if made == self.dimensions else None


NO_EXIF = Exif()


def read_exif(data: bytes) -> Exif:
    """Read a TIFF structure. Nonsense reads as no EXIF. One behind `PREFIX`, which belongs to JPEG alone, tells a place only."""
    if data[:6] == PREFIX:
        return Exif(has_gps=read_exif(data[6:]).has_gps)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return NO_EXIF
    found: dict[int, float] = {}
    has_gps = False
    start = struct.unpack_from(order + "I", data, 4)[0]
    for tag, kind, count, raw in _entries(data, order, start):
        if tag == EXIF_IFD and (kind, count) == (LONG, 1):
            for entry in _entries(data, order, struct.unpack(order + "I", raw)[0]):
                _take(found, data, order, entry)
        elif tag == _GPS_IFD:
            inner = {entry[0] for entry in _entries(data, order, struct.unpack(order + "I", raw)[0])}
            has_gps = has_gps or {_GPS_LATITUDE, _GPS_LONGITUDE} <= inner
        else:
            _take(found, data, order, (tag, kind, count, raw))
    exif = Exif(int(found.get(ORIENTATION, 1)), has_gps)
    dense = (X_RESOLUTION, Y_RESOLUTION, X_DIMENSION, Y_DIMENSION)
    if found.get(RESOLUTION_UNIT) != _INCH or not all(map(found.get, dense)):
        return exif
    across, down, width, height = (found[tag] for tag in dense)
    return replace(exif, resolution=(across, down), dimensions=(int(width), int(height)))


def bare_exif(data: bytes, width: int, height: int) -> bytes:
    """Return a TIFF structure that makes of a canvas what ``data`` makes of it, and tells nothing else; nothing, if that is nothing.

    A `PREFIX` stays, so that every reader goes on as it did: browsers look behind none, others do.
    """
    prefix, exif = data[:6] if data[:6] == PREFIX else b"", read_exif(data.removeprefix(PREFIX))
    corrected = exif.corrected(width, height)
    entries, numbers = list[tuple[int, int, int]](), b""
    if exif.orientation != 1:
        entries.append((ORIENTATION, SHORT, exif.orientation << 16))
    if corrected is not None:
        # Big-endian; IFD0 at 8, of six entries at most, and the two fractions behind it.
        behind = 8 + 2 + 12 * (len(entries) + 5) + 4
        entries += [(X_RESOLUTION, RATIONAL, behind), (Y_RESOLUTION, RATIONAL, behind + 8)]
        entries += [(RESOLUTION_UNIT, SHORT, _INCH << 16)]
        entries += [(X_DIMENSION, LONG, corrected[0]), (Y_DIMENSION, LONG, corrected[1])]
        numbers = struct.pack(">4I", width * _USUAL_RESOLUTION, corrected[0], height * _USUAL_RESOLUTION, corrected[1])
    if not entries:
        return b""
    table = b"".join(struct.pack(">HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return prefix + struct.pack(">2sHIH", b"MM", 42, 8, len(entries)) + table + bytes(4) + numbers


Entry = tuple[int, int, int, bytes]
"""Tag, type, count and the four value bytes of an entry."""


def _entries(data: bytes, order: str, offset: int) -> Iterator[Entry]:
    """The entries of one IFD, as far as the data goes."""
    if offset + 2 > len(data):
        return
    count = struct.unpack_from(order + "H", data, offset)[0]
    for at in range(offset + 2, min(offset + 2 + 12 * count, len(data) - 11), 12):
        yield (*struct.unpack_from(order + "HHI", data, at), data[at + 8 : at + 12])


def _take(found: dict[int, float], data: bytes, order: str, entry: Entry) -> None:
    """Add the value of an entry that is wanted, not there yet, and of the right type: one number of it."""
    tag, kind, count, raw = entry
    if tag not in _TAKEN or tag in found or count != 1:
        return
    if tag in (X_RESOLUTION, Y_RESOLUTION):
        at = struct.unpack(order + "I", raw)[0]
        if kind == RATIONAL and at + 8 <= len(data):
            above, below = struct.unpack_from(order + "II", data, at)
            found[tag] = above / below if below else 0
    elif kind == SHORT:
        value = struct.unpack(order + "H", raw[:2])[0]
        if tag != ORIENTATION or 1 <= value <= 8:
            found[tag] = value
    elif kind == LONG and tag in (X_DIMENSION, Y_DIMENSION):
        found[tag] = struct.unpack(order + "I", raw)[0]


_PERSONAL = {
    0x013C: "HostComputer",
    0x9C9D: "XPAuthor",
    0xA430: "CameraOwnerName",
    0xA431: "BodySerialNumber",
    0xA435: "LensSerialNumber",
    0xC62F: "CameraSerialNumber",
    0xFDE8: "OwnerName",
}
"""Entries (EXIF 2.32, DNG, Adobe) that tell of a person or of one device. A credit is meant to be read: it is not among them."""


def personal_entries(exif: Image.Exif) -> tuple[str, ...]:
    """The names of the entries in an EXIF block that tell of a person or a device, in the order of their tags."""
    try:
        entries = {**exif.get_ifd(EXIF_IFD), **exif}
        return tuple(name for tag, name in _PERSONAL.items() if str(entries.get(tag) or "").strip("\0 "))
    except Exception:  # Pillow raises nearly anything over a damaged block, which then tells nothing
        return ()
