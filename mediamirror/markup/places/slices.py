"""A long text in slices, so that memory depends on the slice and not on how many URLs a document names.

Pure. A cut falls only where no image set can go on: after an empty line, or after a line that ends a set or holds no URL
and is not followed by a descriptor.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

SLICE = 128 * 1024
"""Bytes after which the next good place is taken."""

_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_EMPTY_LINE = re.compile(rb"\n[ \t\r]*\n")
_ENDS = re.compile(rb"(?:[0-9]w|[0-9]x|[.!?])[ \t\r]*\Z")
_DESCRIPTOR = re.compile(rb"\s*,?\s*[0-9.]+[wxh]\b")


@dataclass(frozen=True, slots=True)
class Slice:
    """Some whole lines: the bytes, where they begin in the document (bytes), and the lines before them."""

    data: bytes
    offset: int
    lines: int


def split(data: bytes, *, by_line: bool) -> Iterator[Slice]:
    """Yield the slices of a text in UTF-8; another encoding, and a short text, is one slice.

    ``by_line`` says that every line stands for itself, as in a list of URLs.
    """
    if len(data) < 2 * SLICE or data.startswith(_WIDE_MARKS) or not _is_utf8(data):
        yield Slice(data, 0, 0)
        return
    start = lines = 0
    while start < len(data):
        end = _cut(data, start + SLICE, by_line=by_line)
        piece = data[start:end]
        yield Slice(piece, start, lines)
        # Lines end with CRLF, CR or LF; a cut always stands behind an LF.
        lines += piece.count(b"\n") + piece.count(b"\r") - piece.count(b"\r\n")
        start = end


def _is_utf8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), SLICE):
            decoder.decode(data[start : start + SLICE])
    except UnicodeDecodeError:
        return False
    return True


def _cut(data: bytes, wanted: int, *, by_line: bool) -> int:
    """Return the first good place from ``wanted`` on; the end where there is none."""
    newline = data.find(b"\n", wanted)
    while newline != -1:
        if by_line or _EMPTY_LINE.match(data, newline) or _may_end(data, newline):
            return newline + 1
        newline = data.find(b"\n", newline + 1)
    return len(data)


def _may_end(data: bytes, newline: int) -> bool:
    line = data[data.rfind(b"\n", max(0, newline - 65536), newline) + 1 : newline]
    ends = _ENDS.search(line) is not None or b"/" not in line
    return ends and _DESCRIPTOR.match(data, newline + 1, newline + 65) is None
