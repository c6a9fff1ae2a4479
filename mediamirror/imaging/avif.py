"""AVIF without decoding (AV1 Image File Format; HEIF, ISO/IEC 23008-12): the primary item's properties.

The canvas is the primary item's ``ispe``, for a grid as for a single picture, and before ``clap``, ``irot`` and ``imir``. The
last two are told as the EXIF orientation with the same effect. An orientation in EXIF is nothing to a browser.

An AVIF says in its properties how large its picture is, and the decoder goes by its AV1 bitstream (AV1 Bitstream & Decoding
Process Specification, 5.3 to 5.5): the two may differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from struct import Struct

from mediamirror.first_use import dataclass, replace
from mediamirror.imaging.exif import read_exif
from mediamirror.imaging.octets import NOTHING, Octets, cut, damaged
from mediamirror.model import ImageFacts

_SEQUENCE_HEADER = 1
_TEMPORAL_UNIT_START = 2


def frame_size(data: bytes) -> tuple[int, int] | None:
    """The largest width and height of the sequence that ``data`` begins with, in pixels; None where it tells none."""
    at = 0
    try:
        while True:
            kind, extended, sized = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
            at += 1 + extended
            length, at = _leb128(data, at) if sized else (len(data) - at, at)
            if kind == _SEQUENCE_HEADER:
                return _sequence_header(_Bits(data[at : at + length]))
            if kind != _TEMPORAL_UNIT_START:
                return None
            at += length
    except IndexError:
        return None


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number of at most eight bytes (4.10.5), and the offset after it."""
    value = 0
    for index in range(8):
        value |= (data[at + index] & 0x7F) << 7 * index
        if not data[at + index] & 0x80:
            return value, at + index + 1
    raise IndexError


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data[:512], "big"), 8 * min(len(data), 512)

    def take(self, count: int) -> int:
        """The next bits as a number. Raises IndexError at the end."""
        self._left -= count
        if self._left < 0:
            raise IndexError
        return self._value >> self._left & (1 << count) - 1


def _sequence_header(bits: _Bits) -> tuple[int, int]:
    bits.take(3)  # seq_profile
    bits.take(1)  # still_picture
    if bits.take(1):  # reduced_still_picture_header
        bits.take(5)  # seq_level_idx
    else:
        _operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing_info_present_flag
        bits.take(32)
        bits.take(32)
        if bits.take(1):  # equal_picture_interval
            _skip_uvlc(bits)
        if bits.take(1):  # decoder_model_info_present_flag
            delay_bits = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)  # operating_point_idc
        if bits.take(5) > 7:  # seq_level_idx
            bits.take(1)  # seq_tier
        if delay_bits and bits.take(1):  # decoder_model_present_for_this_op
            bits.take(2 * delay_bits + 1)
        if display_delay and bits.take(1):
            bits.take(4)


def _skip_uvlc(bits: _Bits) -> None:
    """A number of variable length (4.10.3)."""
    zeros = 0
    while not bits.take(1):
        zeros += 1
    if zeros < 32:
        bits.take(zeros)


_size_and_name = Struct(">I4s").unpack_from
_u64 = Struct(">Q").unpack_from


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its four-letter name, where its content starts, and where it says that it ends."""

    name: bytes
    start: int
    end: int


def boxes(data: Octets, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets. A box may claim to end after ``end``: that is for the caller to judge."""
    at = start
    while at + 8 <= end:
        size, name = _size_and_name(data, at)
        head = 8
        if size == 1 and at + 16 <= end:
            size, head = _u64(data, at + 8)[0], 16
        elif size == 0:
            size = end - at
        if size < head:
            return
        yield Box(name, at + head, at + size)
        at += size


def child(data: Octets, start: int, end: int, *path: bytes) -> Box | None:
    """The first box under a path of names."""
    found: Box | None = None
    for name in path:
        found = next((box for box in boxes(data, start, end) if box.name == name and box.end <= end), None)
        if found is None:
            return None
        start, end = found.start, found.end
    return found


class Cursor:
    """Reads big-endian numbers one after the other; past the end of its box is an IndexError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        """Read ``size`` bytes as an unsigned number; 0 bytes are 0."""
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        """Read ``size`` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise IndexError(end)
        piece = self._data[self._at : end]
        self._at = end
        return piece


BRANDS = frozenset({b"avif", b"avis"})
_ispe = Struct(">4xII").unpack
_clap = Struct(">8i")
_ALPHA_URNS = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0")
_MAX_META = 1024 * 1024
_MAX_PROPERTY = 64  # All that we look at; a file may refer to one large property a million times.
_MAX_PICTURES = 1000
# By (irot angle in quarter turns anticlockwise, imir axis or None): the EXIF orientation that does the same.
_ORIENTATION = {
    (0, None): 1, (0, 0): 4, (0, 1): 2,
    (1, None): 8, (1, 0): 5, (1, 1): 7,
    (2, None): 3, (2, 0): 2, (2, 1): 4,
    (3, None): 6, (3, 0): 7, (3, 1): 5,
}  # fmt: skip


def is_avif(data: Octets) -> bool:
    """Whether the ``ftyp`` box at the start names an AVIF brand, as major or as compatible brand."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4], "big"), len(data), 1024)
    brands = data[8:12] + data[16:end]
    return any(brands[at : at + 4] in BRANDS for at in range(0, len(brands), 4))


def read(data: Octets) -> ImageFacts:
    """Read the ``meta`` box; it has to be in the data whole."""
    meta = _meta(data)
    primary = _primary(meta)
    properties = _properties(meta, primary)
    size = next((content for name, content in properties if name == b"ispe" and len(content) == 12), None)
    if size is None:
        raise damaged("AVIF", "its primary item has no size")
    width, height = _ispe(size)
    if not width or not height:
        raise damaged("AVIF", f"its primary item is {width} x {height}")
    return ImageFacts(
        "avif",
        width,
        height,
        frames=_frames(data),
        alpha=any(urn in meta for urn in _ALPHA_URNS),
        icc=any(name == b"colr" and content[:4] in (b"prof", b"rICC") for name, content in properties),
        orientation=_orientation(properties),
        corrected=_clean_aperture(properties, width, height),
        in_firefox=NOTHING if _is_beyond_firefox(meta, primary, properties) else None,
    )


def _meta(data: Octets) -> bytes:
    """The content of the ``meta`` box after its version and flags."""
    meta = next((box for box in boxes(data, 0, len(data)) if box.name == b"meta"), None)
    if meta is None and not _ends_early(data):
        raise damaged("AVIF", "it has no meta box")
    if meta is None or meta.end > len(data):
        raise cut("AVIF", len(data), "before the end of its meta box")
    return data[meta.start + 4 : min(meta.end, meta.start + _MAX_META)]


def _ends_early(data: Octets) -> bool:
    """Whether the last box is not all there, or too little is left for its header."""
    end = 0
    for box in boxes(data, 0, len(data)):
        end = box.end
    return end != len(data)


def _primary(meta: bytes) -> int:
    box = child(meta, 0, len(meta), b"pitm")
    if box is None:
        raise damaged("AVIF", "it names no primary item")
    cursor = Cursor(meta[box.start : box.end])
    version = cursor.number(4) >> 24
    return cursor.number(4 if version else 2)


def _properties(meta: bytes, item: int) -> list[tuple[bytes, bytes]]:
    """Name and content of each property that ``ipma`` associates with an item, in its order."""
    container = child(meta, 0, len(meta), b"iprp", b"ipco")
    whole = child(meta, 0, len(meta), b"iprp")
    if container is None or whole is None:
        raise damaged("AVIF", "its items have no properties")
    known = list(boxes(meta, container.start, container.end))
    indexes = [
        index
        for box in boxes(meta, whole.start, whole.end)
        if box.name == b"ipma"
        for owner, index in _associations(meta[box.start : box.end])
        if owner == item
    ]
    named = [known[index - 1] for index in indexes if 0 < index <= len(known)]
    return [(box.name, meta[box.start : min(box.end, box.start + _MAX_PROPERTY)]) for box in named]


def _associations(content: bytes) -> Iterator[tuple[int, int]]:
    """Pairs of item and property index (from 1) of one ``ipma`` box."""
    cursor = Cursor(content)
    head = cursor.number(4)
    id_size, index_size = (4 if head >> 24 else 2), (2 if head & 1 else 1)
    essential = 1 << (8 * index_size - 1)
    for _ in range(cursor.number(4)):
        item = cursor.number(id_size)
        for _ in range(cursor.number(1)):
            yield item, cursor.number(index_size) & ~essential


def _orientation(properties: list[tuple[bytes, bytes]]) -> int:
    named = {name: content for name, content in properties if content}
    angle = named[b"irot"][0] & 3 if b"irot" in named else 0
    axis = named[b"imir"][0] & 1 if b"imir" in named else None
    return _ORIENTATION[angle, axis]


def _is_beyond_firefox(meta: bytes, primary: int, properties: list[tuple[bytes, bytes]]) -> bool:
    """Whether a picture has a clean aperture, or is put together of several (a grid): Firefox 153 shows nothing of it."""
    return primary in _items(meta, b"grid") or any(name == b"clap" for name, _ in properties)


def _clean_aperture(properties: list[tuple[bytes, bytes]], width: int, height: int) -> tuple[int, int] | None:
    """Width and height of the part that ``clap`` leaves, where it begins in the corner; None for any other, and for all of it.

    Chromium follows no other clean aperture (docs/decisions/0051-natural-size.md).
    """
    content = next((content for name, content in properties if name == b"clap" and len(content) == _clap.size), None)
    if content is None:
        return None
    values = _clap.unpack(content)
    fractions = list(zip(values[::2], values[1::2], strict=True))
    if any(below <= 0 or above % below for above, below in fractions[:2]) or any(below <= 0 for _, below in fractions):
        return None
    inner = (fractions[0][0] // fractions[0][1], fractions[1][0] // fractions[1][1])
    # The centre of the part lies off that of the canvas by as much as half of what is cut: the corner stays.
    corner = all(
        2 * above == (part - whole) * below
        for (above, below), part, whole in zip(fractions[2:], inner, (width, height), strict=True)
    )
    fits = 0 < inner[0] <= width and 0 < inner[1] <= height
    return inner if corner and fits and inner != (width, height) else None


def _frames(data: Octets) -> int | None:
    """1 for a still picture; for a sequence the samples of its picture track, or None where that is not in the data."""
    if data[8:12] != b"avis":
        return 1
    moov = child(data, 0, len(data), b"moov")
    if moov is None:
        return None
    counts = [
        int.from_bytes(data[stsz.start + 8 : stsz.start + 12], "big")
        for trak in boxes(data, moov.start, moov.end)
        if trak.name == b"trak"
        and (stsz := child(data, trak.start, min(trak.end, len(data)), b"mdia", b"minf", b"stbl", b"stsz")) is not None
    ]
    return max(counts, default=None)


def read_whole(data: Octets) -> ImageFacts:
    """Read ``meta`` and prove that every item in it lies inside the file. GPS is told from the Exif item."""
    facts = read(data)
    meta = _meta(data)
    if any(offset + length > len(data) for _, offset, length in _extents(meta)):
        raise cut("AVIF", len(data), "and an item of it lies further on")
    exif = _exif(data, meta)
    return replace(facts, frames=facts.frames or 1, has_gps=read_exif(exif).has_gps if exif else False)


def largest_coded(data: Octets) -> int:
    """Pixels of the largest picture that a bitstream in the file announces; 0 where none does. Raises like `read`."""
    meta = _meta(data)
    coded = _items(meta, b"av01")
    places = [offset for item, offset, _ in _extents(meta) if item in coded]
    sizes = [
        frame_size(data[offset : offset + 1024])
        for offset in (*places[:_MAX_PICTURES], *islice(_chunks(data), _MAX_PICTURES))
    ]
    return max((width * height for width, height in filter(None, sizes)), default=0)


def _chunks(data: Octets) -> Iterator[int]:
    """Offsets in the file of the chunks of every track, and with them of a sequence's first picture."""
    moov = child(data, 0, len(data), b"moov")
    for trak in boxes(data, moov.start, moov.end) if moov else ():
        for name, size in ((b"stco", 4), (b"co64", 8)):
            table = child(data, trak.start, min(trak.end, len(data)), b"mdia", b"minf", b"stbl", name)
            if table is not None:
                entries = data[table.start + 8 : min(table.end, table.start + 8 + size * _MAX_PICTURES)]
                yield from (int.from_bytes(entries[at : at + size], "big") for at in range(0, len(entries), size))


def _exif(data: Octets, meta: bytes) -> bytes | None:
    """The TIFF structure of the first Exif item that is kept in the file itself."""
    ids = _items(meta, b"Exif")
    for item, offset, length in _extents(meta):
        if item in ids:
            content = data[offset : offset + length]
            return content[4 + int.from_bytes(content[:4], "big") :]
    return None


def _items(meta: bytes, kind: bytes) -> set[int]:
    """The items of a type."""
    items = child(meta, 0, len(meta), b"iinf")
    if items is None:
        return set()
    head = 4 + (4 if meta[items.start] else 2)
    return {
        int.from_bytes(meta[box.start + 4 : box.start + (6 if meta[box.start] < 3 else 8)], "big")
        for box in boxes(meta, items.start + head, items.end)
        if box.name == b"infe" and kind in meta[box.start : box.end][6:14]
    }


def _extents(meta: bytes) -> Iterator[tuple[int, int, int]]:
    """Item, offset in the file and length of every extent in the ``iloc`` box that points into the file."""
    box = child(meta, 0, len(meta), b"iloc")
    if box is None:
        return
    cursor = Cursor(meta[box.start : box.end])
    version = cursor.number(4) >> 24
    sizes = cursor.number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    id_size = 4 if version > 1 else 2
    for _ in range(cursor.number(id_size)):
        item = cursor.number(id_size)
        method = cursor.number(2) & 15 if version else 0
        cursor.take(2)
        base = cursor.number(base_size)
        for _ in range(cursor.number(2)):
            cursor.take(index_size)
            offset, length = base + cursor.number(offset_size), cursor.number(length_size)
            if length == 0:
                return  # To the end of the file, which no Exif item needs; and no loop over nothing.
            if method == 0:
                yield item, offset, length
