"""What Next.js streams to its client: ``self.__next_f.push([1, "…"])`` again and again, one text cut anywhere.

The text is rows of ``ID:JSON``, of ``ID:LETTERS JSON`` (hints, imports) and of ``ID:T<length in hex>,text``, where the length
counts bytes of UTF-8 and no line feed follows. A URL may begin in one script and end in the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from turbohtml import Element

from mediamirror.first_use import pattern
from mediamirror.markup.page.parsed import Page, Value, content
from mediamirror.markup.places.json_text import Text, read_json
from mediamirror.markup.places.spelling import MAX_ESCAPES, Nested, Piece, Spelling, as_written, json_string

MAX_ROWS = 100_000
_MAX_SCRIPTS = 10_000
_PUSH = pattern(r"__next_f\.push\(\s{0,8}\[\s{0,8}1\s{0,8},\s{0,8}(?=\")")
_STRING = pattern(r"\"(?:[^\"\\]++|\\[\s\S]|(?!))*+\"?")
_ROW = pattern(r"\s*+[0-9a-f]{1,8}:(?:T([0-9a-f]{1,8}),|[A-Z]{0,2}(?=[\[{\"]))")


def rows(page: Page) -> Iterator[Value]:
    """Yield the rows of the stream that a page's scripts push, each with its place; text that is none is a row too."""
    if "__next_f" not in page.text:
        return
    scripts = islice(page.elements(["script"]), _MAX_SCRIPTS)
    pieces = [piece for script in scripts for piece in _pushed(page, script)]
    if not pieces:
        return
    stream = Spelling.of(pieces)
    for start, end in islice(_parted(stream.text), MAX_ROWS):
        text = stream.text[start:end]
        yield Value("", Nested(text, stream, as_written(text, start)), 0)


def is_flight(text: str) -> bool:
    """Say whether a script is part of such a stream."""
    return _PUSH.search(text) is not None


def _pushed(page: Page, script: Element) -> Iterator[Piece]:
    """The strings that one script pushes, as pieces placed in the page."""
    value = content(page, script) if is_flight(script.text) else None
    if value is None:
        return
    for push in _PUSH.finditer(value.text):
        raw = _STRING.match(value.text, push.end())
        if raw is None or raw[0].count("\\") > MAX_ESCAPES:
            continue
        string = next(iter(read_json(raw[0]).values), None)
        if isinstance(string, Text):
            yield from json_string(string, raw[0]).shifted(value.start + push.end())


def _parted(text: str) -> Iterator[tuple[int, int]]:
    """Where the JSON or the text of each row begins and ends."""
    at = 0
    while at < len(text):
        row = _ROW.match(text, at)
        start = row.end() if row is not None else at
        if row is not None and row[1] is not None:
            end = _after(text, start, int(row[1], 16))
            at = end
        else:
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            at = end + 1
        if end > start:
            yield start, end


def _after(text: str, start: int, size: int) -> int:
    """Where ``size`` bytes of UTF-8 from ``start`` on end."""
    end = min(len(text), start + size)
    piece = text[start:end]
    if piece.isascii():
        return end
    return start + len(piece.encode("utf-8", "replace")[:size].decode("utf-8", "ignore"))
