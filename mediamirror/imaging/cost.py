"""What decoding an image takes in memory, told from its structure. Pure.

A file of 34 bytes may hold 49 million pixels, all within the other limits.
"""

from __future__ import annotations

import struct
from itertools import takewhile

from mediamirror.errors import ImageError, ImageOverBudget
from mediamirror.first_use import dataclass
from mediamirror.imaging import avif, gif, jpeg
from mediamirror.imaging.octets import NAMES, Octets
from mediamirror.model import ImageFacts

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
