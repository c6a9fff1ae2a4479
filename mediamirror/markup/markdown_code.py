"""Which parts of a Markdown text are code: fenced and indented blocks, and code spans (CommonMark 0.31, 4.4, 4.5, 6.1).

An image in there is about images, and none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from mediamirror.model import Span

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)?")
_FENCE = re.compile(r"(?:[ \t>]|[-+*][ \t]|[0-9]{1,9}[.)][ \t])*+(`{3,}|~{3,})([^\r\n]*)")
_CLOSING = re.compile(r"[ \t>]*(`{3,}|~{3,})[ \t]*\r?\n?\Z")
_LIST_ITEM = re.compile(r" {0,3}(?:[-+*]|[0-9]{1,9}[.)])(?:[ \t]|\r?\n?\Z)")
_INDENTED = re.compile(r"(?: {4}| {0,3}\t)[ \t]*\S")
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
    """Code blocks; an empty span where a blank line ends a paragraph."""
    fence, opened, in_list, after_blank = "", 0, False, True
    for match in _LINE.finditer(text):
        line, (start, end) = match[0], match.span()
        if start == end:
            break
        if fence:
            closing = _CLOSING.match(line)
            if closing is not None and closing[1].startswith(fence):
                yield opened, end
                fence = ""
            continue
        blank = not line.strip()
        opening = None if blank else _FENCE.match(line)
        if opening is not None and not (opening[1][0] == "`" and "`" in opening[2]):
            fence, opened = opening[1], start
            yield start, start
        elif blank:
            yield start, start
        elif after_blank and not in_list and _INDENTED.match(line):
            yield start, end
            continue  # what is indented below it is code as well
        else:
            in_list = _LIST_ITEM.match(line) is not None or (in_list and (not after_blank or line[0] in " \t"))
        after_blank = blank
    if fence:
        yield opened, len(text)


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
