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
_RESOLUTIONS = (X_RESOLUTION, Y_RESOLUTION)
_INCH, _USUAL_RESOLUTION = 2, 72
_MOST_DIRECTORIES = 8
"""As many are read at most: a file may hold thousands of entries that all lead to directories of thousands."""


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

    def shown(self, width: int, height: int) -> tuple[int, int]:
        """The natural size that it makes of a canvas."""
        wide, high = self.corrected(width, height) or (width, height)
        return (wide, high) if self.orientation <= 4 else (high, wide)


NO_EXIF = Exif()


def read_exif(data: bytes) -> Exif:
    """Read a TIFF structure. Nonsense reads as no EXIF. One behind `PREFIX`, which belongs to JPEG alone, tells a place only."""
    if data[:6] == PREFIX:
        return Exif(has_gps=read_exif(data[6:]).has_gps)
    order, start = _begin(data)
    found: dict[int, float] = {}
    has_gps, inside = False, set[int]()
    for tag, kind, count, raw in _entries(data, order, start):
        if tag == EXIF_IFD and (kind, count) == (LONG, 1):
            # What was read once says nothing new: a value that is there stays.
            if (place := _long(order, raw)) not in inside and len(inside) < _MOST_DIRECTORIES:
                inside.add(place)
                for entry in _entries(data, order, place):
                    _take(found, data, order, entry)
        elif tag == _GPS_IFD and not has_gps and len(inside) < _MOST_DIRECTORIES:
            inside.add(~_long(order, raw))
            tags = {entry[0] for entry in _entries(data, order, _long(order, raw))}
            has_gps = {_GPS_LATITUDE, _GPS_LONGITUDE} <= tags
        else:
            _take(found, data, order, (tag, kind, count, raw))
    return _exif(found, has_gps=has_gps)


def read_as_firefox(data: bytes) -> Exif:
    """Read a TIFF structure as Firefox 153 does where it goes its own way; a place is not looked for.

    Of entries that stand twice the last counts; an Exif IFD is followed whatever the type of its entry; and an entry of those that
    are wanted ends its directory where its value is none.
    """
    order, start = _begin(data)
    found: dict[int, float] = {}
    _follow(found, data, order, start, [])
    return _exif(found, has_gps=False)


def otherwise(exif: Exif, block: bytes, width: int, height: int) -> tuple[int, int, int] | None:
    """`ImageFacts.in_firefox` of a canvas whose EXIF is ``exif`` in Chromium, and for Firefox in a ``block``."""
    firefox = read_as_firefox(block)
    theirs = firefox.shown(width, height)
    if firefox.orientation > 4 and (size := firefox.corrected(width, height)):
        theirs = round(height * size[0] / width), round(width * size[1] / height)  # the resolution of the turned axes
    changed = (*theirs, firefox.orientation) != (*exif.shown(width, height), exif.orientation)
    return (*theirs, firefox.orientation) if changed else None


def _begin(data: bytes) -> tuple[str, int]:
    """The byte order as `struct` writes it, and where the first directory is; behind the data where this is no TIFF structure."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4], "")
    return (order, _long(order, data[4:8])) if order and len(data) >= 8 else ("<", len(data))


def _exif(found: dict[int, float], *, has_gps: bool) -> Exif:
    exif = Exif(int(found.get(ORIENTATION, 1)), has_gps)
    dense = (X_RESOLUTION, Y_RESOLUTION, X_DIMENSION, Y_DIMENSION)
    if found.get(RESOLUTION_UNIT) != _INCH or not all(map(found.get, dense)):
        return exif
    across, down, width, height = (found[tag] for tag in dense)
    return replace(exif, resolution=(across, down), dimensions=(int(width), int(height)))


def bare_exif(data: bytes, width: int, height: int, *, firefox: bool = True) -> bytes:
    """Return a TIFF structure that makes of a canvas what ``data`` makes of it, and tells nothing else; nothing, if that is nothing.

    Where Firefox reads ``data`` in another way than Chromium, it goes on to, unless it sees none of it (``firefox`` False). A
    `PREFIX` stays, so that every reader goes on as it did: browsers look behind none, others do.
    """
    prefix, body = (PREFIX, data[6:]) if data[:6] == PREFIX else (b"", data)
    exif = read_exif(body)
    other = read_as_firefox(body) if firefox and not prefix else exif
    wanted, theirs = ((each.orientation, each.corrected(width, height)) for each in (exif, other))
    entries = _written(*wanted, width, height)
    if theirs == wanted:
        return prefix + _tiff(entries) if entries else b""
    inside = _written(*theirs, width, height, whole=True)
    if theirs[1] is None and wanted[1] is not None:
        inside += [(X_DIMENSION, LONG, wanted[1][0] + 1)]  # with which no resolution agrees
    entries.append((EXIF_IFD, SHORT, inside))
    return prefix + _tiff(entries)


_Number = int | tuple[int, int]
_Made = list[tuple[int, int, "_Number | _Made"]]
"""Entries that are to be written: tag, type, and a number, a fraction or a directory."""


def _written(orientation: int, size: tuple[int, int] | None, width: int, height: int, *, whole: bool = False) -> _Made:
    """The entries that turn a canvas and give it a natural size; with ``whole`` that it is upright is said, too."""
    entries: _Made = [(ORIENTATION, SHORT, orientation)] if orientation != 1 or whole else []
    if size is not None:
        entries += [(X_RESOLUTION, RATIONAL, (width * _USUAL_RESOLUTION, size[0]))]
        entries += [(Y_RESOLUTION, RATIONAL, (height * _USUAL_RESOLUTION, size[1]))]
        entries += [(RESOLUTION_UNIT, SHORT, _INCH), (X_DIMENSION, LONG, size[0]), (Y_DIMENSION, LONG, size[1])]
    return entries


def _tiff(entries: _Made) -> bytes:
    """A TIFF structure of one directory and those in it. Little-endian: a number is the same read as SHORT and as LONG."""
    return struct.pack("<2sHI", b"II", 42, 8) + _directory(entries, 8)


def _directory(entries: _Made, at: int) -> bytes:
    """A directory that begins at that offset, with what does not fit into its entries behind it."""
    table, behind = struct.pack("<H", len(entries)), b""
    for tag, kind, value in entries:
        place = at + 2 + 12 * len(entries) + 4 + len(behind)
        if isinstance(value, list):
            behind += _directory(value, place)
        elif isinstance(value, tuple):
            behind += struct.pack("<II", *value)
        table += struct.pack("<HHII", tag, kind, 1, value if isinstance(value, int) else place)
    return table + bytes(4) + behind


Entry = tuple[int, int, int, bytes]
"""Tag, type, count and the four value bytes of an entry."""


def _entries(data: bytes, order: str, offset: int, *, least: int = 12) -> Iterator[Entry]:
    """The entries of one IFD, as far as the data goes: of the last one ``least`` bytes are there."""
    if offset + 2 > len(data):
        return
    count = struct.unpack_from(order + "H", data, offset)[0]
    for at in range(offset + 2, min(offset + 2 + 12 * count, len(data) - least + 1), 12):
        yield (*struct.unpack_from(order + "HHI", data, at), data[at + 8 : at + 12])


def _follow(found: dict[int, float], data: bytes, order: str, offset: int, followed: list[int]) -> None:
    """Read one directory and those in it as Firefox does; ``followed`` are the offsets of those that were begun."""
    if offset in followed or len(followed) == _MOST_DIRECTORIES:
        return
    followed.append(offset)
    # The last entry may be cut behind the two bytes of its number.
    for tag, kind, count, raw in _entries(data, order, offset, least=10):
        if tag == EXIF_IFD and len(raw) == 4:
            _follow(found, data, order, _long(order, raw), followed)
        elif tag in _TAKEN:
            one: dict[int, float] = {}
            _take(one, data, order, (tag, kind, count, raw))
            if (
                tag not in one
                or (tag in _RESOLUTIONS and not one[tag])
                or (tag == RESOLUTION_UNIT and one[tag] not in (2, 3))
            ):
                return
            found |= one


def _long(order: str, raw: bytes) -> int:
    return int(struct.unpack(order + "I", raw)[0])


def _take(found: dict[int, float], data: bytes, order: str, entry: Entry) -> None:
    """Add the value of an entry that is wanted, not there yet, and of the right type: one number of it."""
    tag, kind, count, raw = entry
    if tag not in _TAKEN or tag in found or count != 1:
        return
    if tag in _RESOLUTIONS:
        at = _long(order, raw) if len(raw) == 4 else len(data)
        if kind == RATIONAL and at + 8 <= len(data):
            above, below = struct.unpack_from(order + "II", data, at)
            found[tag] = above / below if below else 0
    elif kind == SHORT:
        value = struct.unpack(order + "H", raw[:2])[0]
        if tag != ORIENTATION or 1 <= value <= 8:
            found[tag] = value
    elif kind == LONG and tag in (X_DIMENSION, Y_DIMENSION) and len(raw) == 4:
        found[tag] = _long(order, raw)


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
