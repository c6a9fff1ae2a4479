"""Which parts of a Markdown text are code: fenced and indented blocks, and code spans (CommonMark 0.31, 4.4, 4.5, 6.1).

An image in there is about images, and none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from mediamirror.model import Span

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)?")
_FENCE = re.compile(r"(?:[ \t>]|[-+*][ \t]|[0-9]{1,9}[.)][ \t])*+(`{3,}|~{3,})([^\r\n]*)")
_CLOSING = re.compile(r"[ \t>]*(`{3,}|~{3,})[ \t]*\r?\n?\Z")
_LIST_ITEM = re.compile(r" {0,3}(?:[-+*]|[0-9]{1,9}[.)])(?:[ \t]|\r?\n?\Z)")
_ITEM_IN_QUOTE = re.compile(r" {0,3}>[ >]{0,12}(?:[-+*]|1[.)])[ \t]+\S")
_INDENTED = re.compile(r"(?: {4}| {0,3}\t)[ \t]*\S")
_QUOTE = re.compile(r" {0,3}>")
_HEADING = re.compile(r"[ >]{0,12}#{1,6}(?:[ \t]|\r?\n?\Z)")
_TICKS = re.compile(r"`+")


def without_code(text: str) -> str:
    """Return a text with everything that is code replaced by spaces: positions stay."""
    pieces: list[str] = []
    done = 0
    for start, end in _spans(text):
        pieces += text[done:start], re.sub(r"[^\r\n]", " ", text[start:end])
        done = end
    return "".join(pieces) + text[done:] if pieces else text


def _spans(text: str) -> Iterator[Span]:
    """Code in order: blocks by line, and between them the code spans of each paragraph."""
    paragraph = 0
    for start, end in _blocks(text):
        yield from _code_spans(text, paragraph, start)
        if end > start:
            yield start, end
        paragraph = end
    yield from _code_spans(text, paragraph, len(text))


def _blocks(text: str) -> Iterator[Span]:
    """Code blocks; an empty span where a paragraph ends without one."""
    state = _State()
    for match in _LINE.finditer(text):
        if match.start() == match.end():
            break
        yield from state.fenced(match) if state.fence else state.open(match)
    if state.fence:
        yield state.opened, len(text)


@dataclass(slots=True)
class _State:
    """What the lines so far have opened. ``opened`` is where the fenced block starts."""

    fence: str = ""
    opened: int = 0
    in_list: bool = False
    in_quote: bool = False
    after_blank: bool = True

    def fenced(self, match: re.Match[str]) -> Iterator[Span]:
        closing = _CLOSING.match(match[0])
        if closing is not None and closing[1].startswith(self.fence):
            yield self.opened, match.end()
            self.fence = ""

    def open(self, match: re.Match[str]) -> Iterator[Span]:
        """Take a line that is in no fenced block."""
        line, (start, end) = match[0], match.span()
        blank = not line.strip()
        opening = None if blank else _FENCE.match(line)
        if opening is not None and not (opening[1][0] == "`" and "`" in opening[2]):
            self.fence, self.opened = opening[1], start
            yield start, start
        elif blank:
            yield start, start
        elif self.after_blank and not self.in_list and _INDENTED.match(line):
            yield start, end
            return  # what is indented below it is code as well
        else:
            yield from self._text(line, start, end)
        self.after_blank = blank

    def _text(self, line: str, start: int, end: int) -> Iterator[Span]:
        is_item, is_quote = _LIST_ITEM.match(line) is not None, _QUOTE.match(line) is not None
        is_heading = _HEADING.match(line) is not None
        if is_heading or is_item or (is_quote and not self.in_quote) or _ITEM_IN_QUOTE.match(line):
            yield start, start
        if is_heading:
            yield end, end
        self.in_list = is_item or (self.in_list and (not self.after_blank or line[0] in " \t"))
        self.in_quote = is_quote or (self.in_quote and not self.after_blank)


def _code_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Code spans: a run of backticks, closed by the next run of the same length. Linear: runs are looked up by length."""
    runs: dict[int, list[int]] = {}
    ordered = [match.span() for match in _TICKS.finditer(text, start, end)]
    for first, last in ordered:
        runs.setdefault(last - first, []).append(first)
    done = start
    for first, last in ordered:
        if first < done or (first > start and text[first - 1] == "\\"):
            continue
        same = runs[last - first]
        at = bisect_right(same, first)
        if at < len(same):
            done = same[at] + last - first
            yield first, done
