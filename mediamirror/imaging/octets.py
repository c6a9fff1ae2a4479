"""What every header reader shares: the type of its input, and the two errors it may raise."""

from __future__ import annotations

from mmap import mmap

from mediamirror.errors import ImageTruncated, NotAnImage

NAMES = {"webp": "WebP", "jpeg": "JPEG", "png": "PNG", "gif": "GIF", "avif": "AVIF"}
"""How people write the formats."""

NOTHING = (0, 0, 1)
"""`ImageFacts.in_firefox` of a file of which Firefox shows nothing."""

Octets = bytes | mmap
"""Bytes in memory, or a spooled file mapped; slices of both are bytes."""


def cut(kind: str, size: int, missing: str) -> ImageTruncated:
    """Build the error for data that ends before something the format needs."""
    return ImageTruncated(f"The {kind} is cut short: it ends after {size:,} bytes, {missing}; fetch it again.")


def damaged(kind: str, why: str) -> NotAnImage:
    """Build the error for data that starts like a format and then breaks its rules."""
    return NotAnImage(f"This begins like {kind} data, but is damaged: {why}.", kind=f"damaged {kind}")
