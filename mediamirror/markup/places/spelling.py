"""Text that is spelled in another text, escaped or in pieces, and the way back from each of its code points.

A feed's HTML stands in XML, as CDATA or with ``&lt;``; a crawl's stands in JSON strings. Finders read the text, references
name the place of its spelling in the document.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Protocol

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.places.charrefs import Decoded, decode
from mediamirror.markup.places.json_text import Text
from mediamirror.model import Span

_JSON_ESCAPE = pattern(r"\\(?:u[0-9a-fA-F]{4}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|x[0-9a-fA-F]{2}|[\s\S]?)")
_ESCAPED_TAG = pattern(r"&(?:lt|#0*60|#x0*3c);\s*/?[a-z!]", re.IGNORECASE)
_QUOTED_AGAIN = pattern(r"=\\+[\"']")
_BACKSLASH = pattern(r"(?<!\\)\\++(?=[\"'/])")
_BYTE_ORDER_MARK = "\ufeff"
MAX_ESCAPES = 250_000
"""Most character references or escapes decoded in one text: the place of each is kept, which costs memory."""


class Spelled(Protocol):
    """A text, and the place in the document of each part of it, in code points."""

    @property
    def text(self) -> str:
        """The text as it is meant."""

    def raw_span(self, start: int, end: int) -> Span:
        """Return the place of the spelling of ``text[start:end]``."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of the text. ``start`` and ``end`` are the place of its spelling in the document, in code points.

    ``decoded`` tells what is spelled how within the run; without it the run is spelled as it is, or it is one escape.
    """

    text: str
    start: int
    end: int
    decoded: Decoded | _Unescaped | None = None

    def raw(self, start: int, end: int) -> Span:
        """Return the place in the document of ``text[start:end]``."""
        if self.decoded is not None:
            first, last = self.decoded.raw_span(start, end)
            return self.start + first, self.start + last
        if len(self.text) == self.end - self.start:
            return self.start + start, self.start + end
        return self.start, self.end if end else self.start


@dataclass(frozen=True, slots=True)
class Spelling:
    """A text made of pieces in order."""

    text: str
    _starts: tuple[int, ...]
    _pieces: tuple[Piece, ...]
    _anchor: int = 0

    @classmethod
    def of(cls, pieces: Iterable[Piece], at: int = 0) -> Spelling:
        """Put pieces together. An empty text is where its first piece is, or at ``at`` without any."""
        rows = list(pieces)
        kept = [piece for piece in rows if piece.text]
        starts, length = [], 0
        for piece in kept:
            starts.append(length)
            length += len(piece.text)
        return cls("".join(piece.text for piece in kept), tuple(starts), tuple(kept), rows[0].start if rows else at)

    def shifted(self, by: int) -> Iterator[Piece]:
        """Yield the pieces, each so many code points further on in the document."""
        return (replace(piece, start=piece.start + by, end=piece.end + by) for piece in self._pieces)

    def raw_span(self, start: int, end: int) -> Span:
        """Return the place in the document, in code points, of ``text[start:end]``."""
        if not self._pieces:
            return self._anchor, self._anchor
        if len(self._pieces) == 1 and self._pieces[0].decoded is None:
            return self._pieces[0].raw(start, end)
        first = max(0, bisect_right(self._starts, start) - 1)
        # The end belongs to the piece before it: what lies between two pieces is no part of the text.
        last = max(first, bisect_left(self._starts, end) - 1)
        return (
            self._pieces[first].raw(start - self._starts[first], start - self._starts[first])[0],
            self._pieces[last].raw(end - self._starts[last], end - self._starts[last])[1],
        )


def as_written(text: str, start: int) -> Spelling:
    """Text that stands in the document as it is."""
    piece = Piece(text, start, start + len(text))
    return Spelling(text, (0,), (piece,), start) if text else Spelling.of([piece])


def with_references(raw: str, start: int) -> Piece:
    """A run of markup whose character references are to be decoded, unless there are more than `MAX_ESCAPES`."""
    if is_over(raw):
        return Piece(raw, start, start + len(raw))
    decoded = decode(raw)
    return Piece(decoded.text, start, start + len(raw), decoded)


def is_over(raw: str) -> bool:
    """Say whether a text may hold more character references than are decoded."""
    return len(raw) > MAX_ESCAPES and raw.count("&") > MAX_ESCAPES


def json_string(value: Text, document: str) -> Spelling:
    """A string of a JSON document, with however many escapes."""
    start, end = value.span
    if len(value.value) == end - start:
        return as_written(value.value, start)
    return Spelling.of([Piece(value.value, start, end, _Unescaped(document, value.span))])


class _Unescaped:
    """The way back to the spelling of a string of JSON, worked out when it is first asked for: in most nothing is found.

    Then it takes 16 bytes for each escape.
    """

    __slots__ = ("_at", "_document", "_raw", "_span")

    def __init__(self, document: str, span: Span) -> None:
        self._document = document
        self._span = span
        self._at = array("I")
        self._raw = array("I")

    def raw_span(self, start: int, end: int) -> Span:
        """Return the place in the spelling of a part of the string, in code points."""
        if not self._at:
            self._mark()
        first, last = bisect_right(self._at, start) - 1, bisect_right(self._at, end) - 1
        return self._raw[first] + start - self._at[first], self._raw[last] + end - self._at[last]

    def _mark(self) -> None:
        """Mark the places from which on the text is spelled as it is: its beginning, and those behind escapes and at them."""
        start, end = self._span
        self._at.append(0)
        self._raw.append(0)
        for match in _JSON_ESCAPE.finditer(self._document, start, end):
            first = match.start() - start
            at = self._at[-1] + first - self._raw[-1]
            size = _escape_size(match[0])
            if size > 1:
                self._at.append(at)
                self._raw.append(first)
            self._at.append(at + size)
            self._raw.append(match.end() - start)


def _escape_size(escape: str) -> int:
    """How many code points an escape stands for: a pair of surrogates is one, a stray pair two, a lone backslash none."""
    if len(escape) == 12:
        return 1 if escape[2] in "dD" and escape[3] in "89abAB" else 2
    return min(1, len(escape) - 1)


@dataclass(frozen=True, slots=True)
class Nested:
    """A text spelled within another that is itself spelled in the document: escaped twice, or JSON in an attribute."""

    text: str
    _outer: Spelled
    _inner: Spelled

    def raw_span(self, start: int, end: int) -> Span:
        """Return the place in the document, in code points, of ``text[start:end]``."""
        return self._outer.raw_span(*self._inner.raw_span(start, end))


def unescaped_again(spelling: Spelled) -> Spelled:
    """Undo what was escaped once too often: the quotes of tags (``<img src=\\"…\\">``), or tags where a text has no others."""
    text = spelling.text
    if "<" in text and _QUOTED_AGAIN.search(text) is not None and text.count("\\") <= MAX_ESCAPES:
        spans = [(0, 0), *(match.span() for match in _BACKSLASH.finditer(text)), (len(text), len(text))]
        unquoted = Spelling.of(Piece(text[a:b], a, b) for (_, a), (b, _) in pairwise(spans))
        return Nested(unquoted.text, spelling, unquoted)
    if "<" in text or is_over(text) or _ESCAPED_TAG.search(text) is None:
        return spelling
    inner = decode(text)
    return Nested(inner.text, spelling, inner)


def without_mark(text: str) -> str:
    """Replace a byte order mark at the start by a space: decoders drop it, and positions would shift."""
    return " " + text[1:] if text.startswith(_BYTE_ORDER_MARK) else text
