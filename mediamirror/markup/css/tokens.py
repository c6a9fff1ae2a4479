"""The pieces of CSS text in which a URL can stand: strings, url() tokens, names, comments, escapes.

CSS Syntax 3 (https://drafts.csswg.org/css-syntax-3/#tokenization) with the place of every piece kept, which a full tokenizer
would lose: positions count code points of the text as given, and all of it is linear. Newlines are CRLF, CR, FF and LF;
NUL counts as the U+FFFD that it becomes.
"""

from __future__ import annotations

import re

from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Span

WS = r" \t\n\r\f"
_NON_PRINTABLE = r"\x01-\x08\x0b\x0e-\x1f\x7f"
_ESCAPE = rf"\\(?:[0-9a-fA-F]{{1,6}}+(?:\r\n|[{WS}])?|[^\n\r\f0-9a-fA-F]|\Z)"
_STRING_REST = {
    quote: pattern(rf"(?:[^{quote}\\\n\r\f]++|\\(?:[0-9a-fA-F]{{1,6}}+(?:\r\n|[{WS}])?|\r\n|[\s\S]|\Z)|(?!))*+")
    for quote in "\"'"
}
_URL = pattern(rf"((?:[^{WS}\"'()\\{_NON_PRINTABLE}]++|{_ESCAPE}|(?!))*+)[{WS}]*+(\)|\Z)")
_BAD_URL_REST = pattern(r"(?:[^)\\]++|\\[\s\S]?|(?!))*+\)?")
_SPACE = pattern(rf"[{WS}]*+")
_COMMENT = pattern(r"/\*(?:[^*]++|\*(?!/)|(?!))*+(?:\*/)?")
_NAME = pattern(rf"(?:[-\w]|[^\x01-\x7f]|{_ESCAPE}|(?!))*+", re.ASCII)
_UNESCAPE = pattern(rf"\\(?:([0-9a-fA-F]{{1,6}}+)(?:\r\n|[{WS}])?|(\r\n|[\n\r\f])|([\s\S])|\Z)")
_ESCAPE_BEFORE = pattern(rf"\\[0-9a-fA-F]{{1,6}}[{WS}]+\Z")
_LONGEST_NAME = 17  # len("-webkit-image-set"), the longest function name looked for
_LONGEST_ESCAPED = _LONGEST_NAME * 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A string or url(): its value without escapes, and the place of its spelling, without quotes and parentheses.

    ``end`` is where the text goes on. ``value`` is None for a bad string or bad url, which browsers drop.
    """

    value: str | None
    span: Span
    end: int


def string_at(css: str, start: int) -> Piece:
    """Read the string whose quote stands at ``start``. The end of the text closes it; a bare newline makes it bad."""
    quote = css[start]
    match = _STRING_REST[quote].match(css, start + 1)
    stop = match.end() if match else start + 1
    span = (start + 1, stop)
    if stop < len(css) and css[stop] != quote:
        return Piece(None, span, stop)
    return Piece(unescape(css[start + 1 : stop]), span, min(stop + 1, len(css)))


def url_at(css: str, start: int) -> Piece:
    """Read what follows ``url(``: a quoted string, whose ``end`` is behind the quote, or an unquoted URL."""
    opening = skip_space(css, start)
    if css[opening : opening + 1] in {'"', "'"}:
        return string_at(css, opening)
    match = _URL.match(css, opening)
    if match is not None:
        return Piece(unescape(match[1], at_end="\ufffd"), match.span(1), match.end())
    rest = _BAD_URL_REST.match(css, opening)
    end = rest.end() if rest else len(css)
    return Piece(None, (opening, end - 1 if css.endswith(")", opening, end) else end), end)


def comment_end(css: str, start: int) -> int:
    """Where the text goes on after the comment that opens at ``start``."""
    match = _COMMENT.match(css, start)
    return match.end() if match else start + 1


def skip_space(css: str, start: int) -> int:
    """Where the whitespace at ``start`` ends."""
    match = _SPACE.match(css, start)
    return match.end() if match else start


def name_at(css: str, start: int) -> tuple[str, int]:
    """The name that starts at ``start``, unescaped and in lower case, and its end; the name may be empty."""
    match = _NAME.match(css, start)
    end = match.end() if match else start
    return unescape(css[start:end]).lower(), end


def name_before(css: str, end: int) -> str:
    """The name that ends at ``end``, unescaped and in lower case, or nothing where no function of ours is called.

    Looks back no further than the longest name of interest could reach, escapes included.
    """
    window = css[max(0, end - _LONGEST_NAME - 1) : end]
    start = len(window)
    while start and (window[start - 1].isalnum() or window[start - 1] in "-_\0" or window[start - 1] > "\x7f"):
        start -= 1
    if not start:
        return window.lower()
    if "\\" in window[max(0, start - 2) : start] or _ESCAPE_BEFORE.search(window, max(0, start - 9), start):
        return _last_name(css[max(0, end - _LONGEST_ESCAPED) : end]).lower()
    # "#url(" is a hash and "@url(" an at-keyword: no function.
    return "" if window[start - 1] in "#@" else window[start:].lower()


def _last_name(window: str) -> str:
    position, last = 0, ""
    while position < len(window):
        match = _NAME.match(window, position)
        end = match.end() if match else position
        if end == len(window):
            hashed = position and window[position - 1] in "#@"
            last = "" if hashed else unescape(window[position:end])
        position = max(end, position + 1)
    return last


def unescape(spelling: str, *, at_end: str = "") -> str:
    """Replace escapes by what they stand for; an escaped newline is nothing, NUL and the impossible are U+FFFD.

    ``at_end`` is what a backslash at the very end stands for: nothing in a string.
    """
    if "\\" in spelling:
        spelling = _UNESCAPE.sub(lambda match: _unescaped(match) if len(match[0]) > 1 else at_end, spelling)
    return spelling.replace("\0", "\ufffd")


def _unescaped(match: re.Match[str]) -> str:
    digits, newline, char = match.groups()
    if digits:
        number = int(digits, 16)
        valid = 0 < number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
        return chr(number) if valid else "\ufffd"
    return "" if newline else char or ""
