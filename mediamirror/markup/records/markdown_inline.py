"""The inline grammar of CommonMark 0.31 (https://spec.commonmark.org/0.31.2/#inlines), as far as it says what is an image.

Escapes (2.4), code spans (6.1), links and images (6.3, 6.4), autolinks and raw HTML (6.5, 6.6) bind more tightly than brackets; a
link holds no other link, an image's alternative text no other image. Linear in the text's length; positions are those of the text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Span

_TICKS = pattern(r"`+")
_TOKEN = pattern(r"\\[\s\S]?|`+|!?\[|\]|<")
TAG = (
    r"<(?:[A-Za-z][A-Za-z0-9\-]*+(?:\s++[A-Za-z_:][\w.:\-]*+(?:\s*+=\s*+(?:[^\s\"'=<>`]++|'[^']*+'|\"[^\"]*+\")|(?!))?+|(?!))*+\s*+/?>"
    r"|/[A-Za-z][A-Za-z0-9\-]*+\s*+>)"
)
"""An open or a closing tag (CommonMark, 6.6)."""
_TAG = pattern(
    rf"{TAG}|<(?:[A-Za-z][A-Za-z0-9+.\-]{{1,31}}:[^\s<>]*+>|[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~\-]{{1,200}}@[A-Za-z0-9.\-]{{1,200}}>"
    r"|\?(?:[^?]++|\?(?!>)|(?!))*+\?>|!\[CDATA\[(?:[^\]]++|\](?!\]>)|(?!))*+\]\]>|![A-Za-z][^>]*+>)"
)
_BLANK = r"[ \t]*+(?:\r?\n[ \t>]*+|(?!))?+"
_POINTY = pattern(r"<((?:[^<>\\\r\n]++|\\[^\r\n]|(?!))*+)>")
_BARE = pattern(r"[^\s\\()]++|\\[!-/:-@\[-`{-~]?|[()]")
_TITLE = pattern(r"\"(?:[^\"\\]++|\\[\s\S]|(?!))*+\"|'(?:[^'\\]++|\\[\s\S]|(?!))*+'|\((?:[^()\\]++|\\[\s\S]|(?!))*+\)")
_SPACE = pattern(_BLANK)
_LABEL = pattern(r"\[((?:[^\[\]\\]++|\\[\s\S]|(?!)){0,999}+)\]")
_LINE_END = pattern(r"[ \t]*+(?:\r?\n|\Z)")
MAX_PARENTHESES = 32
"""How deep parentheses may be nested in a destination, as in cmark."""
MAX_DESTINATION = 8192


@dataclass(frozen=True, slots=True)
class Image:
    """One image: the place of its URL as written, which may be that of a definition elsewhere, and of its alternative text."""

    url: Span
    alt: Span


@dataclass(slots=True)
class _Bracket:
    at: int
    """Where what it encloses begins."""
    is_image: bool
    before: int
    """How many images there were when it opened: those that follow lie in its text."""
    active: bool = True
    holds_brackets: bool = False


def _ticks(text: str, start: int, end: int) -> dict[int, list[int]]:
    """Where the runs of backticks of each length begin, in order."""
    runs: dict[int, list[int]] = {}
    for match in _TICKS.finditer(text, start, end):
        runs.setdefault(match.end() - match.start(), []).append(match.start())
    return runs


class InlineReader:
    """Reads the inline text of one document. ``definitions`` are the places of URLs by their folded labels."""

    def __init__(self, text: str, definitions: Mapping[str, Span]) -> None:
        self._text = text
        self._definitions = definitions

    def read(self, start: int, end: int) -> tuple[list[Image], list[Span], list[Span]]:
        """Read one paragraph: its images, its code spans, and what looks like an image and is none, as its blanks say."""
        text, ticks = self._text, _ticks(self._text, start, end)
        images: list[Image] = []
        code: list[Span] = []
        odd: list[Span] = []
        stack: list[_Bracket] = []
        at = start
        while (token := _TOKEN.search(text, at, end)) is not None:
            mark, at = token[0], token.end()
            if mark[0] == "`":
                same = ticks.get(len(mark), [])
                next_one = bisect_left(same, at)
                if next_one < len(same):
                    at = same[next_one] + len(mark)
                    code.append((token.start(), at))
            elif mark == "<":
                tag = _TAG.match(text, token.start(), end)
                at = tag.end() if tag is not None else at
            elif mark == "]":
                at = self._close(token.start(), end, stack, images, odd)
            elif mark[0] != "\\":
                for bracket in stack[-1:]:
                    bracket.holds_brackets = True
                stack.append(_Bracket(at, mark[0] == "!", len(images)))
        return images, code, odd

    def _close(self, at: int, end: int, stack: list[_Bracket], images: list[Image], odd: list[Span]) -> int:
        """Step over a closing bracket, or over the link or image that it ends."""
        if not stack:
            return at + 1
        opening = stack.pop()
        if not opening.active:
            return at + 1
        found = self._inline(at + 1, end) or self._reference(opening, at, end)
        if found is None:
            if opening.is_image and self._text.startswith("(", at + 1):
                odd.append((at + 2, end))
            return at + 1
        url, after = found
        if opening.is_image:
            del images[opening.before :]
            images.append(Image(url, (opening.at, at)))
        else:
            for bracket in stack:
                bracket.active = bracket.active and bracket.is_image
        return after

    def _inline(self, at: int, end: int) -> tuple[Span, int] | None:
        """CommonMark, 6.3: ``(``, a destination and a title that both may be left out, ``)``."""
        text = self._text
        if not text.startswith("(", at, end):
            return None
        at = _past(text, at + 1, end)
        url = destination(text, at, end) or (at, at)
        after = url[1] + text.startswith("<", at) * (url[0] > at)
        spaced = _past(text, after, end)
        title = _TITLE.match(text, spaced, end) if spaced > after else None
        if title is not None:
            spaced = _past(text, title.end(), end)
        return (url, spaced + 1) if text.startswith(")", spaced, end) else None

    def _reference(self, opening: _Bracket, at: int, end: int) -> tuple[Span, int] | None:
        """CommonMark, 6.3: a full, a collapsed or a shortcut reference."""
        if not self._definitions:
            return None
        label = _LABEL.match(self._text, at + 1, end)
        if label is not None and label[1] and not label[1].strip():
            label = None  # blanks alone are no label
        name = label[1] if label is not None and label[1] else None
        if name is None and not opening.holds_brackets and at - opening.at < 1000:
            name = self._text[opening.at : at]
        url = self._definitions.get(folded(name)) if name is not None else None
        if url is None and name is not None and label is not None and label[1]:
            return None  # a label of its own that nothing defines
        return (url, label.end() if label is not None else at + 1) if url is not None else None


def _past(text: str, at: int, end: int) -> int:
    match = _SPACE.match(text, at, end)
    return match.end() if match is not None else at


def destination(text: str, at: int, end: int) -> Span | None:
    """Return the place of a link destination (CommonMark, 6.3) without its ``<`` and ``>``; None where there is none."""
    if text.startswith("<", at, end):
        pointy = _POINTY.match(text, at, end)
        return pointy.span(1) if pointy is not None else None
    depth, stop = 0, at
    while (piece := _BARE.match(text, stop, min(end, at + MAX_DESTINATION))) is not None:
        if piece[0] == "(":
            depth += 1
        elif piece[0] == ")":
            if not depth:
                break
            depth -= 1
        if depth > MAX_PARENTHESES:
            return None
        stop = piece.end()
    return (at, stop) if stop > at else None


def definition(text: str, at: int, end: int) -> tuple[str, Span, int] | None:
    """Return the link reference definition (CommonMark, 4.7) at a place: its folded label, its URL, and where it ends."""
    label = _LABEL.match(text, at, end)
    if label is None or not label[1].strip() or not text.startswith(":", label.end(), end):
        return None
    start = _past(text, label.end() + 1, end)
    url = destination(text, start, end)
    if url is None:
        return None
    after = url[1] + (url[0] > start)
    spaced = _past(text, after, end)
    title = _TITLE.match(text, spaced, end) if spaced > after else None
    last = _LINE_END.match(text, title.end(), end) if title is not None else None
    last = last or _LINE_END.match(text, after, end)
    return (folded(label[1]), url, last.end()) if last is not None else None


def folded(label: str) -> str:
    """Fold a label (CommonMark, 6.3, "matches"): case and runs of blanks make no difference."""
    return " ".join(label.split()).casefold()
