"""GIF without decoding (GIF89a specification, clauses 18 to 27)."""

from __future__ import annotations

from struct import Struct

from mediamirror.first_use import replace
from mediamirror.imaging.octets import Octets, cut, damaged
from mediamirror.model import ImageFacts

_screen = Struct("<HHB").unpack_from
_frame = Struct("<HHHHB").unpack_from
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def read(data: Octets) -> ImageFacts:
    """Read the logical screen, widened to the first frame where that is larger: browsers do so too."""
    if len(data) < 13:
        raise cut("GIF", len(data), "inside its header")
    width, height, _ = theirs = _screen(data, 6)
    first = _next_frame(data, _after_screen(data))
    if first is not None and first + 10 <= len(data):
        left, top, frame_width, frame_height, _ = _frame(data, first + 1)
        # Firefox takes the frame for the screen, if that is the smaller one along either side, and in a GIF of 1987.
        if data[:6] == b"GIF87a" or frame_width > width or frame_height > height:
            theirs = (frame_width, frame_height, 0)
        width, height = max(width, left + frame_width), max(height, top + frame_height)
    if not width or not height:
        raise damaged("GIF", f"its canvas is {width} x {height}")
    in_firefox = (*theirs[:2], 1) if theirs[:2] != (width, height) else None
    return ImageFacts("gif", width, height, icc=False, orientation=1, has_gps=False, in_firefox=in_firefox)


def read_whole(data: Octets) -> ImageFacts:
    """Walk all blocks to the trailer and count the frames."""
    facts, frames = read(data), 0
    at: int | None = _after_screen(data)
    while at is not None:
        at = _next_frame(data, at)
        if at is None:
            raise cut("GIF", len(data), "before its trailer")
        if data[at] == _TRAILER:
            return _counted(facts, frames)
        frames += 1
        at = _after_frame(data, at)
    raise cut("GIF", len(data), "inside a frame")


def largest_extent(data: Octets) -> int:
    """Pixels of the canvas that has room for every frame: decoders widen it to a late one. Raises like `read`."""
    facts = read(data)
    width, height = facts.width, facts.height
    at: int | None = _after_screen(data)
    while at is not None:
        at = _next_frame(data, at)
        if at is None or data[at] == _TRAILER or at + 10 > len(data):
            break
        left, top, frame_width, frame_height, _ = _frame(data, at + 1)
        width, height = max(width, left + frame_width), max(height, top + frame_height)
        at = _after_frame(data, at)
    return int(width * height)


def _counted(facts: ImageFacts, frames: int) -> ImageFacts:
    if not frames:
        raise damaged("GIF", "it holds no frame")
    return replace(facts, frames=frames)


def _after_screen(data: Octets) -> int:
    return 13 + _table_size(data[10])


def _table_size(flags: int) -> int:
    """Bytes of the colour table that the packed field announces."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _next_frame(data: Octets, at: int) -> int | None:
    """Offset of the next image descriptor or trailer; None where the data ends first."""
    while at < len(data):
        kind = data[at]
        if kind in (_IMAGE, _TRAILER):
            return at
        if kind == _EXTENSION:
            after = _skip_blocks(data, at + 2)
            if after is None:
                return None
            at = after
        else:  # Stray bytes between blocks occur; decoders step over them.
            at += 1
    return None


def _after_frame(data: Octets, at: int) -> int | None:
    if at + 10 > len(data):
        return None
    return _skip_blocks(data, at + 10 + _table_size(data[at + 9]) + 1)


def _skip_blocks(data: Octets, at: int) -> int | None:
    """Offset after a chain of data sub-blocks; None where the data ends first."""
    size = len(data)
    while at < size:
        length = data[at]
        at += 1 + length
        if not length:
            return at
    return None
