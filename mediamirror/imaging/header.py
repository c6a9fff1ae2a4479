"""Format and canvas size from the first bytes of an image, without decoding and without Pillow."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from contextlib import closing
from typing import BinaryIO

from mediamirror.errors import ImageOverBudget, ImageTruncated, NotAnImage
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
