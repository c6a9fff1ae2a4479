"""The records of a JSON text: the elements of a list at its top, or the values that follow each other in it.

Each is parsed by itself, so that a crawl of a million pages is never in memory as objects, and one bad record is one problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mediamirror.first_use import pattern
from mediamirror.model import Span

_TOKEN = pattern(r'"(?:[^"\\]++|\\[\s\S]?|(?!))*+"?|[\[{]|[\]}]|[,\s\ufeff]++|[^"\[\]{},\s]++')
_FIRST = pattern(rb"(?:\xef\xbb\xbf)?\s*+([{\[])")
_OBJECTS = pattern(rb"(?:\xef\xbb\xbf)?\s*+\[?\s*+\{\s*+[\"}]")
_LINES = pattern(rb"(?:\xef\xbb\xbf)?\s*+\{[^\r\n]*\}[ \t]*\r?\n\s*+\{")
HINT = pattern(
    r"\.(?:jpe?g|png|webp|avif|gif|svg)(?![a-z])|/image/|_next\\?/image|(?:fm|format|wx_fmt)=|images?\.|src-?set",
    re.IGNORECASE,
)
"""What JSON that names an image speaks of."""
_WITHIN = pattern(r"(?:\s*+[0-9a-f]{1,8}:[A-Z]{0,2})?\s*+[\[{]\s*+[\[{\"']")


def is_json_within(text: str, *, is_of_images: bool = False) -> bool:
    """Say whether a string of JSON is JSON itself, or a list as Python and numpy print it, that may name an image.

    That of a field whose name tells of images need not look so.
    """
    return _WITHIN.match(text) is not None and (is_of_images or HINT.search(text) is not None)


def is_json(data: bytes) -> bool:
    """Say whether bytes start as a JSON object or list does."""
    return _FIRST.match(data) is not None


def looks_like_json(data: bytes) -> bool:
    """Say whether bytes, of which nothing else is known, start with a JSON object or a list of them."""
    return _OBJECTS.match(data) is not None


def looks_like_lines(data: bytes) -> bool:
    """Say whether bytes start with a JSON object on a line of its own, and another below."""
    return _LINES.match(data) is not None


def records(text: str) -> Iterator[Span]:
    """Yield the place of each record of a text, in order; linear, whatever the nesting. Bare numbers and words are left."""
    depth = 0
    start = -1
    is_first = True
    for token in _TOKEN.finditer(text):
        mark = text[token.start()]
        if mark in "[{":
            # A list at the top is only what its elements stand in.
            if not (is_first and mark == "["):
                start = token.start() if depth == 0 else start
                depth += 1
        elif mark in "]}":
            depth = max(0, depth - 1)
            if depth == 0 and start >= 0:
                yield start, token.end()
                start = -1
        elif mark == '"' and depth == 0:
            yield token.span()
        is_first = is_first and (mark in ",\ufeff" or mark.isspace())
    if start >= 0:
        yield start, len(text)
