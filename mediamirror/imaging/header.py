"""Format and canvas size from the first bytes of an image, without decoding and without Pillow; and what decoding takes in memory.

A file of 34 bytes may hold 49 million pixels, all within the other limits.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from contextlib import closing
from itertools import takewhile
from typing import BinaryIO

from mediamirror.errors import ImageError, ImageOverBudget, ImageTruncated, NotAnImage
from mediamirror.first_use import dataclass
from mediamirror.imaging import avif, gif, jpeg, png, webp
from mediamirror.imaging.octets import NAMES, Octets, damaged
from mediamirror.imaging.sniff import describe, sniff
from mediamirror.model import Body, ImageFacts
from mediamirror.settings import CheckOptions

_READ: dict[str, Callable[[Octets], ImageFacts]] = {
    "webp": webp.read,
    "jpeg": jpeg.read,
    "png": png.read,
    "gif": gif.read,
    "avif": avif.read,
}
_READ_WHOLE: dict[str, Callable[[Octets], ImageFacts]] = {
    "webp": webp.read_whole,
    "jpeg": jpeg.read_whole,
    "png": png.read_whole,
    "gif": gif.read_whole,
    "avif": avif.read_whole,
}
FORMATS = tuple(_READ)
"""The formats that are read, lower case."""


def read_header(data: Octets) -> ImageFacts:
    """Read the facts that stand at the beginning of an image.

    ``data`` may be the whole file or its first bytes (64 KiB are enough for nearly all). ``width`` and ``height`` are
    those of the canvas in pixels. What the data seen does not tell is None.

    Raises `NotAnImage`, saying what the bytes look like, or `ImageTruncated` when the data ends inside the header;
    nothing else, whatever the bytes.
    """
    return _dispatch(_READ, data)


def read_whole(data: Octets) -> ImageFacts:
    """Like `read_header` for a file that is all there: walks its structure to the end, still without decoding.

    Counts the frames, finds the EXIF wherever it lies, and raises `ImageTruncated` when the end is missing. Bytes after
    the end are no error.
    """
    return _dispatch(_READ_WHOLE, data)


def read_body(body: Body) -> ImageFacts:
    """`read_header` for a body: from its prefix, and from further on in it where the prefix ends inside the header.

    A WebP whose header promises more bytes than the body holds is `ImageTruncated` too: that costs no decoding.
    """
    head = body.data if body.data is not None else body.prefix
    try:
        facts = read_header(head)
    except ImageTruncated:
        if body.path is None or body.size <= len(head):
            raise
        with body.path.open("rb") as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as whole:
            facts = read_header(whole)
    if facts.format == "webp":
        webp.check_size(head, body.size)
    return facts


def read_whole_body(body: Body) -> ImageFacts:
    """`read_whole` for a body, in memory or on disk."""
    if body.path is None:
        return read_whole(body.data if body.data is not None else body.prefix)
    with body.path.open("rb") as file:
        data = map_file(file)
        try:
            return read_whole(data)
        finally:
            if isinstance(data, mmap.mmap):
                data.close()


def check_budget(facts: ImageFacts, options: CheckOptions) -> None:
    """Raise `ImageOverBudget` when the canvas, the frames, or both together are over the limits of ``options``."""
    canvas = facts.width * facts.height
    size = f"{facts.width:,} x {facts.height:,} pixels"
    if canvas > options.max_pixels:
        raise ImageOverBudget(f"The canvas is {size}; the limit is {options.max_pixels:,} pixels (--max-pixels).")
    frames = facts.frames or 1
    if frames > options.max_frames:
        raise ImageOverBudget(
            f"The animation has {frames:,} frames; the limit is {options.max_frames:,} (--max-frames)."
        )
    if frames * canvas > options.max_total_pixels:
        limit = f"the limit is {options.max_total_pixels:,} pixels in all (--max-total-pixels)"
        raise ImageOverBudget(f"The animation has {frames:,} frames of {size}; {limit}.")


def _dispatch(readers: dict[str, Callable[[Octets], ImageFacts]], data: Octets) -> ImageFacts:
    # The commonest first: sniffing costs more than reading a WebP header.
    kind = "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else sniff(data)
    reader = readers.get(kind)
    if reader is None:
        message = f"This is {describe(kind)}, where a WebP, JPEG, PNG, GIF or AVIF image was expected."
        raise NotAnImage(message, kind=kind)
    try:
        return reader(data)
    except (IndexError, struct.error):
        raise damaged(NAMES[kind], "its structure makes no sense") from None


def map_file(file: BinaryIO) -> mmap.mmap | bytes:
    """Map an open file for reading and leave it at its beginning; an empty one can't be mapped and is empty bytes."""
    size = file.seek(0, 2)
    file.seek(0)
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""


SHRINKS = (1, 2, 4, 8)
"""By what a JPEG's sides can be divided while it is decoded; every coded block is read even so."""

# Bytes a pixel of the canvas at the peak of decoding, measured with Pillow 13 (python -m bench.hostile_bodies --largest).
_WEBP, _AVIF = 12.0, 12.0
_WEBP_ALPHA = 2.0
_MOVING_PNG, _MOVING_GIF = 12.0, 9.0
_COEFFICIENT = 2
_WORST_JPEG = (4, 4.0)


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes at the peak, about; ``shrink`` is what the sides of a JPEG have to be divided by for that."""

    bytes: int
    shrink: int = 1


def cost(data: Octets, facts: ImageFacts, most: int) -> Cost:
    """Return what decoding takes; of the ways to decode a JPEG the first one that takes no more than ``most`` bytes.

    ``data`` may be the first bytes alone: what they don't tell is taken for the worst.
    """
    pixels = max(facts.width * facts.height, _pixels(data, facts))
    if facts.format != "jpeg":
        # These two decoders are given the whole file, and copy it.
        files = 2 * len(data) if facts.format in ("webp", "avif") else 0
        return Cost(round(pixels * _a_pixel(data, facts)) + files)
    components, coefficients = _jpeg(data)
    held = round(pixels * _COEFFICIENT * coefficients)
    sample = 1 if components == 1 else 4
    ways = [Cost(held + pixels * sample // shrink**2, shrink) for shrink in SHRINKS]
    over = list(takewhile(lambda way: way.bytes > most, ways))
    return ways[min(len(over), len(ways) - 1)]


def check_memory(data: Octets, facts: ImageFacts, most: int) -> Cost:
    """Return the `cost` of a whole image. Raises `ImageOverBudget` when it is more than ``most`` bytes."""
    found = cost(data, facts, most)
    if found.bytes > most:
        raise ImageOverBudget(
            f"Decoding this {NAMES[facts.format]} of {facts.width:,} x {facts.height:,} pixels takes "
            f"{-(-found.bytes // 1024**2):,} MiB of memory; the limit is {most // 1024**2:,} MiB (--max-decode-memory)."
        )
    return found


def _pixels(data: Octets, facts: ImageFacts) -> int:
    """What the decoder of an AVIF or a moving GIF finds further on, whatever the canvas is said to be."""
    try:
        if facts.format == "avif":
            return avif.largest_coded(data)
        # Frames are counted where the whole file is read, in the decoder's process; the walk is for there too.
        return gif.largest_extent(data) if facts.format == "gif" and (facts.frames or 1) > 1 else 0
    except (IndexError, struct.error, ImageError):
        return 0


def _a_pixel(data: Octets, facts: ImageFacts) -> float:
    still = facts.frames == 1
    if facts.format == "gif":
        return 1.0 if still else _MOVING_GIF
    if facts.format == "png":
        return _png_sample(data) if still else _MOVING_PNG
    if facts.format == "avif":
        return _AVIF
    return _WEBP + _WEBP_ALPHA * (facts.alpha is not False)


def _png_sample(data: Octets) -> float:
    """Pillow holds grey and palettes in a byte, 16 bits of grey in two, all else in four (PNG, 11.2.1)."""
    depth, colour = data[24], data[25]
    return {0: 2.0 if depth == 16 else 1.0, 3: 1.0}.get(colour, 4.0)


def _jpeg(data: Octets) -> tuple[int, float]:
    """How many components there are, and the coefficients a pixel that are held."""
    try:
        return jpeg.components(data), jpeg.held_coefficients(data)
    except (IndexError, struct.error, ImageError):
        return _WORST_JPEG
