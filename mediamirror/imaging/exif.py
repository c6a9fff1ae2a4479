"""What we want from EXIF: which way is up, and whether it tells a place, a person or a device.

Layout of TIFF 6.0: byte order, IFD0, entries of 12 bytes; tags 0x0112 (Orientation) and 0x8825 (GPS IFD).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mediamirror.first_use import dataclass

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112
_GPS_IFD = 0x8825
_GPS_LATITUDE, _GPS_LONGITUDE = 2, 4
_SHORT = 3


@dataclass(frozen=True, slots=True)
class Exif:
    """``orientation`` is 1 to 8 (1 when absent); ``has_gps`` means that latitude and longitude are there."""

    orientation: int = 1
    has_gps: bool = False


NO_EXIF = Exif()


def read_exif(data: bytes) -> Exif:
    """Read a TIFF structure, with or without the ``Exif\\0\\0`` that JPEG puts before it. Nonsense reads as no EXIF."""
    if data[:6] == b"Exif\0\0":
        data = data[6:]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return NO_EXIF
    orientation, has_gps = 1, False
    for tag, kind, raw in _entries(data, order, struct.unpack_from(order + "I", data, 4)[0]):
        if tag == _ORIENTATION and kind == _SHORT:
            value = struct.unpack_from(order + "H", raw)[0]
            orientation = value if 1 <= value <= 8 else 1
        elif tag == _GPS_IFD:
            inner = {entry[0] for entry in _entries(data, order, struct.unpack(order + "I", raw)[0])}
            has_gps = {_GPS_LATITUDE, _GPS_LONGITUDE} <= inner
    return Exif(orientation, has_gps)


def _entries(data: bytes, order: str, offset: int) -> Iterator[tuple[int, int, bytes]]:
    """Tag, type and the four value bytes of each entry of one IFD, as far as the data goes."""
    if offset + 2 > len(data):
        return
    count = struct.unpack_from(order + "H", data, offset)[0]
    for at in range(offset + 2, min(offset + 2 + 12 * count, len(data) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", data, at)
        yield tag, kind, data[at + 8 : at + 12]


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
_EXIF_IFD = 0x8769


def personal_entries(exif: Image.Exif) -> tuple[str, ...]:
    """The names of the entries in an EXIF block that tell of a person or a device, in the order of their tags."""
    try:
        entries = {**exif.get_ifd(_EXIF_IFD), **exif}
        return tuple(name for tag, name in _PERSONAL.items() if str(entries.get(tag) or "").strip("\0 "))
    except Exception:  # Pillow raises nearly anything over a damaged block, which then tells nothing
        return ()
