"""A long text in slices, so that memory depends on the slice and not on how many URLs a document names.

Pure. A cut falls only where no image set can go on: after an empty line, after a line that ends a set or holds no URL
and is not followed by a descriptor, or in a list between two URLs that are not of one picture.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from mediamirror.first_use import dataclass, pattern

SLICE = 128 * 1024
"""Bytes of a slice; it ends at the next place that splits no image set."""

_AHEAD = 65
"""How many bytes after a newline are looked at, itself included."""
_LONG = 8 * SLICE
"""Bytes from which on a list may be cut between any two URLs: in one of numbered pictures all neighbours look alike."""
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_EMPTY_LINE = pattern(rb"\n[ \t\r]*\n")
_ENDS = pattern(rb"(?:[0-9]w|[0-9]x|[.!?])[ \t\r]*\Z")
_BLANKS = pattern(rb"[ \t\r]*+\Z")
_ALONE = pattern(rb"[ \t]*+[A-Za-z][A-Za-z0-9+.-]{0,10}+://[!-~\x80-\xff]*[^\s,][ \t\r]*+")
"""A URL with a line to itself. One before a comma goes on in the next line."""
_DESCRIPTOR = pattern(rb"\s*+(?:,\s*+)?[0-9.]++[wxh]\b")


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
    if len(data) < 2 * SLICE or not can_split([data]):
        yield Slice(data, 0, 0)
    else:
        yield from cut_up([data], by_line=by_line)


def can_split(chunks: Iterable[bytes]) -> bool:
    """Say whether a text, which comes in chunks, is UTF-8: only then can it be cut anywhere."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    head = b""
    try:
        for chunk in chunks:
            head = head or chunk[:2]
            for start in range(0, len(chunk), SLICE):
                decoder.decode(chunk[start : start + SLICE])
    except UnicodeDecodeError:
        return False
    return not head.startswith(_WIDE_MARKS)


def cut_up(chunks: Iterable[bytes], *, by_line: bool) -> Iterator[Slice]:
    """Yield the slices of a text that `can_split`, whose bytes come in chunks: no more of them are held than a slice needs."""
    feed = iter(chunks)
    text, start, offset, lines, is_all = b"", 0, 0, 0, False
    while True:
        end = _cut(text, start + SLICE, by_line=by_line, is_all=is_all)
        if end is None:
            # As many again as there are: so each byte is searched twice at most, however long a slice becomes.
            more = _at_least(feed, max(len(text) - start, 2 * SLICE))
            text, start, offset, is_all = text[start:] + more, 0, offset + start, not more
            continue
        if end <= start:
            return
        piece = text[start:end]
        yield Slice(piece, offset + start, lines)
        # Lines end with CRLF, CR or LF; a cut always stands behind an LF.
        lines += piece.count(b"\n") + piece.count(b"\r") - piece.count(b"\r\n")
        start = end


def _at_least(feed: Iterator[bytes], size: int) -> bytes:
    """So many bytes of a feed or a few more; fewer at its end."""
    pieces: list[bytes] = []
    while size > 0 and (chunk := next(feed, None)) is not None:
        pieces.append(chunk)
        size -= len(chunk)
    return b"".join(pieces)


def _cut(text: bytes, wanted: int, *, by_line: bool, is_all: bool) -> int | None:
    """Return the first good place from ``wanted`` on; the end where there is none. None: only what follows can tell."""
    newline = text.find(b"\n", wanted)
    while newline != -1:
        if not is_all and not by_line and _is_open(text, newline):
            return None
        if (
            by_line
            or _EMPTY_LINE.match(text, newline)
            or _may_end(text, newline)
            or _parts_urls(text, newline, any_two=newline - wanted > _LONG)
        ):
            return newline + 1
        newline = text.find(b"\n", newline + 1)
    return len(text) if is_all else None


def _is_open(text: bytes, newline: int) -> bool:
    """Say whether what follows a newline, as far as it matters, may not be there yet."""
    return len(text) < newline + _AHEAD or _BLANKS.match(text, newline + 1) is not None


def _line_before(data: bytes, newline: int) -> bytes:
    return data[data.rfind(b"\n", max(0, newline - 65536), newline) + 1 : newline]


def _parts_urls(data: bytes, newline: int, *, any_two: bool) -> bool:
    """Say whether a newline parts two lines that are a URL each, ``any_two`` or such as are alike at most up to their names."""
    line, end = _line_before(data, newline), data.find(b"\n", newline + 1)
    following = data[newline + 1 : end]
    if end == -1 or _ALONE.fullmatch(line) is None or _ALONE.fullmatch(following) is None:
        return False
    name = line.partition(b"?")[0].rfind(b"/") + 1
    return any_two or line[: name + 1].strip() != following[: name + 1].strip()


def _may_end(data: bytes, newline: int) -> bool:
    line = _line_before(data, newline)
    ends = _ENDS.search(line) is not None or b"/" not in line
    return ends and _DESCRIPTOR.match(data, newline + 1, newline + _AHEAD) is None
