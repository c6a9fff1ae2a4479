"""Boxes of the ISO base media file format (ISO/IEC 14496-12, clause 4.2), the container of AVIF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from mediamirror.imaging.octets import Octets

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
