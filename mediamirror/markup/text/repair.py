"""URLs that a dump has broken: wrapped in the middle over lines, or with spaces left in the file name."""

from __future__ import annotations

import re

from mediamirror.markup.text.clean import is_absolute, is_image_name, trim
from mediamirror.markup.text.words import last_word
from mediamirror.model import Span

Mended = tuple[Span, str, tuple[str, ...]]

_BREAK = re.compile(r"[ \t]*(?:\r\n?|\n)[ \t]*")
_SEPARATOR = re.compile(r"\s*,[\s,]*")
_FILLED_COLUMN = 40
_MAX_PIECES = 40
_MAX_NAME = 512
_CONTINUED = tuple("-/_=&?%+~")


def rewrapped(text: str, region: int, last: Span) -> Mended | None:
    """Join a URL that was broken over lines, if its first piece fills a line and the whole makes an image's URL.

    ``last`` is the place of the last piece; nothing before ``region`` is looked at.
    """
    if not starts_line(text, region, last[0]):
        return None
    pieces = [text[slice(*last)]]
    at = last[0]
    for _ in range(_MAX_PIECES):
        before = last_word(text, max(region, at - 4096), at)
        if before is None or not _BREAK.fullmatch(text, before[1], at):
            return None
        at = before[0]
        start = _head(text[at : before[1]], pieces[-1])
        if start is not None:
            head = text[at + start : before[1]]
            url = head + "".join(reversed(pieces))
            return ((at + start, last[1]), url, ("wrapped",)) if _broken(text, before, head, url) else None
        pieces.append(text[at : before[1]])
    return None


def _head(piece: str, following: str) -> int | None:
    """Where a URL starts in a piece that ends a line, or None if it starts further up."""
    if "/" not in piece:
        # The break may fall into "https://" itself.
        return 0 if len(piece) < 8 and is_absolute(piece + following[:8]) else None
    cut, _ = trim(piece)
    return cut if is_absolute(piece[cut:] + following[:8]) else None


def starts_line(text: str, region: int, position: int) -> bool:
    """Say whether only spaces lie between a position and the line break before it."""
    while position > region and text[position - 1] in " \t":
        position -= 1
    return position > region and text[position - 1] in "\r\n"


def _broken(text: str, place: Span, head: str, url: str) -> bool:
    if head.endswith(",") or url.endswith(",") or is_image_name(head) or not is_image_name(url):
        return False
    start, end = place
    newline = max(text.rfind(mark, max(0, start - _FILLED_COLUMN), start) for mark in "\r\n")
    column = end - newline - 1 if newline >= 0 else end - max(0, start - _FILLED_COLUMN)
    return column >= _FILLED_COLUMN or head.endswith(_CONTINUED)


def respaced(text: str, region: int, last: Span) -> Mended | None:
    """Join a file name with spaces: all that stands between the comma of the candidate before and a descriptor."""
    separator = _SEPARATOR.match(text, region, last[1])
    if separator is None or not 0 < last[1] - separator.end() <= _MAX_NAME:
        return None
    start = separator.end()
    url = text[start : last[1]]
    first, _, rest = url.partition(" ")
    starts = is_absolute(first) or first.startswith(("/", "./"))
    if not rest or not starts or "\n" in url or ", " in url or is_image_name(first) or not is_image_name(url):
        return None
    return (start, last[1]), url, ("spaces",)
