"""Parse a srcset attribute: https://html.spec.whatwg.org/multipage/images.html#parse-a-srcset-attribute

Candidates are split as in steps 1 to 8 and 16; their descriptors are read as in steps 9 to 15. Linear in the length of the value,
and free of dependencies. Whitespace is ASCII whitespace and digits are ASCII digits, which is why `str.split`, ``\\s`` and ``\\d``
are not used here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple, cast

from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Candidate, ParsedSrcset, Problem, Span

_INTEGER = pattern(r"[0-9]++")
_FLOAT = pattern(r"-?(?:[0-9]++(?:\.[0-9]++)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_MOST, _DIGITS = 2**31 - 1, 10


class Token(NamedTuple):
    """One descriptor as written, and its place in the value."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Descriptors:
    """What the descriptors of one candidate say; absent ones stay None."""

    width: int | None = None
    density: float | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a candidate is dropped: a stable code and a clause that completes "because ..."."""

    code: str
    reason: str
    word: str = ""
    """The word that is no descriptor."""


def read_descriptors(tokens: Sequence[Token]) -> Descriptors | Rejected:
    """Steps 9 to 15: the values, or the first reason to drop the candidate.

    A width or height of 2^31 or more, which no browser takes though the standard does, and a density beyond the range of a double (an
    error in the rules for parsing floating-point numbers) drop the candidate with ``number-too-large``.
    """
    # Steps 9 to 12.
    read = Descriptors()
    # Step 13.
    for token in tokens:
        more = _add(read, token.text)
        if isinstance(more, Rejected):
            return more
        read = more
    # Step 14.
    if read.height is not None and read.width is None:
        return Rejected("height-without-width", "a height descriptor needs a width descriptor beside it")
    return read


def _add(read: Descriptors, text: str) -> Descriptors | Rejected:
    """Step 13 for one descriptor. Units are case-sensitive."""
    number, unit = text[:-1], text[-1]
    if unit == "w" and _INTEGER.fullmatch(number):
        return _add_width(read, number, text)
    if unit == "x" and _FLOAT.fullmatch(number):
        return _add_density(read, number, text)
    if unit == "h" and _INTEGER.fullmatch(number):
        return _add_height(read, number, text)
    return _unknown(text)


def _add_width(read: Descriptors, digits: str, text: str) -> Descriptors | Rejected:
    if read.width is not None or read.density is not None:
        return _twice(text, same=read.width is not None)
    width = _positive(digits, text, "width")
    return width if isinstance(width, Rejected) else Descriptors(width, read.density, read.height)


def _add_density(read: Descriptors, number: str, text: str) -> Descriptors | Rejected:
    if (read.width, read.density, read.height) != (None, None, None):
        return _twice(text, same=read.density is not None)
    density = float(number)
    if math.isinf(density):
        return Rejected("number-too-large", f"the density descriptor `{_shown(text)}` is out of range")
    if density < 0:
        return Rejected("negative-density", f"the density descriptor `{_shown(text)}` is negative")
    return Descriptors(density=density + 0.0)  # the rules know no negative zero


def _add_height(read: Descriptors, digits: str, text: str) -> Descriptors | Rejected:
    if read.height is not None or read.density is not None:
        return _twice(text, same=read.height is not None)
    height = _positive(digits, text, "height")
    return height if isinstance(height, Rejected) else Descriptors(read.width, read.density, height)


def _positive(digits: str, text: str, name: str) -> int | Rejected:
    significant = digits.lstrip("0")
    if not significant:
        return Rejected(f"zero-{name}", f"the {name} descriptor `{_shown(text)}` is zero")
    if len(significant) > _DIGITS or int(significant) > _MOST:
        return Rejected("number-too-large", f"the {name} descriptor `{_shown(text)}` is over {_MOST:,}")
    return int(significant)


def _twice(text: str, *, same: bool) -> Rejected:
    if same:
        return Rejected("duplicate-descriptor", f"`{_shown(text)}` repeats a descriptor that it has already")
    return Rejected("mixed-descriptors", f"`{_shown(text)}` contradicts a descriptor before it")


def _unknown(text: str) -> Rejected:
    if text.rfind("(") > text.rfind(")"):
        reason = f"`{_shown(text)}` opens a parenthesis that swallows the rest of the value"
        return Rejected("unclosed-parenthesis", reason)
    return Rejected("unknown-descriptor", f"`{_shown(text)}` is not a descriptor such as `480w` or `2x`", text)


def _shown(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


_WS = r"\t\n\f\r "
_SPACE = "\t\n\f\r "
_SEPARATORS = pattern(rf"[{_WS},]*+")
# The plain spellings (`url 480w,`, `url 2x`, `url,`) in one match. Whatever does not fit goes the long way; the digit
# counts keep widths under 2^31, and float() away from its limits.
_PLAIN = pattern(
    rf"([^{_WS}]++)"
    rf"(?:[{_WS}]++(?:([0-9]{{1,9}}+)w|([0-9]{{1,18}}+(?:\.[0-9]{{1,18}}+)?)x)[{_WS}]*+(?:,|\Z))?"
)
# The most common of them, a width descriptor, with the whitespace before it.
_COMMON = pattern(rf"[{_WS}]*+([^{_WS},][^{_WS}]*+)(?<!,)[{_WS}]++([1-9][0-9]{{0,8}}+)w[{_WS}]*+(?:,|\Z)")
_TOKEN = pattern(rf"(?:[^{_WS}(]++|\([^)]*+\)?|(?!))++")


Scanned = tuple[str, Span, int | None, float | None, int | None, Span]
"""The first six fields of a `Candidate`: making one takes as long as finding it, and a finder makes its own."""


def parse_srcset(value: str) -> ParsedSrcset:
    """Split an attribute value (character references already decoded) into image candidates.

    Spans count code points of ``value``, and ``value[slice(*candidate.span)] == candidate.url``. ``descriptor_span``
    runs from the start of the first descriptor to the end of the last; without descriptors it is empty and stands at
    the end of the URL. Every candidate that is dropped leaves one problem whose span covers its URL and descriptors;
    a stray comma leaves a problem and drops nothing. Never raises for a string.
    """
    candidates, problems = scan_srcset(value)
    return ParsedSrcset(tuple([Candidate(*each) for each in candidates]), tuple(problems))


def scan_srcset(value: str) -> tuple[list[Scanned], list[Problem]]:
    """Do what `parse_srcset` does, and leave making the candidates to the caller."""
    candidates: list[Scanned] = []
    problems: list[Problem] = []
    # Steps 1 to 3.
    position, length = 0, len(value)
    while True:
        # Steps 4 to 16 at once, where nothing can be wrong.
        common = _COMMON.match(value, position)
        if common is not None:
            width = (common.start(2), common.end(2) + 1)
            candidates.append((common[1], common.span(1), int(common[2]), None, None, width))
            position = common.end()
            continue
        # Step 4, splitting loop: collect whitespace and commas; any comma here is a parse error.
        start = _skip(value, position)
        if "," in value[position:start]:
            problems.append(_stray(value, position, start))
        # Step 5.
        if start == length:
            return candidates, problems
        # Steps 6 to 15.
        found, position = _candidate(value, start, problems)
        if found is not None:
            candidates.append(found)
        # Step 16: return to the splitting loop.


def _skip(value: str, position: int) -> int:
    match = _SEPARATORS.match(value, position)
    return match.end() if match else position


def _candidate(value: str, start: int, problems: list[Problem]) -> tuple[Scanned | None, int]:
    """The candidate whose URL starts at ``start``, unless it is dropped, and where parsing goes on."""
    # Steps 6 and 7: the URL runs to the next whitespace; `start` is none, so this matches.
    match = cast(re.Match[str], _PLAIN.match(value, start))
    url, end = match[1], match.end(1)
    if url.endswith(","):
        # Step 8: remove all trailing commas; more than one is a parse error. There are no descriptors.
        url = url.rstrip(",")
        stop = start + len(url)
        if end - stop > 1:
            problems.append(_stray(value, stop + 1, end))
        return (url, (start, stop), None, None, None, (stop, stop)), end
    if match[2] is not None and int(match[2]):
        # Steps 8 to 15 for one width descriptor, and below for one density descriptor.
        return (url, (start, end), int(match[2]), None, None, (match.start(2), match.end(2) + 1)), match.end()
    if match[3] is not None:
        span = (match.start(3), match.end(3) + 1)
        return (url, (start, end), None, float(match[3]), None, span), match.end()
    return _general_candidate(value, url, (start, end), problems)


def _general_candidate(value: str, url: str, span: Span, problems: list[Problem]) -> tuple[Scanned | None, int]:
    """Steps 8 to 15 for descriptors of any form."""
    end, position = _end_of_descriptors(value, span[1])
    tokens = [Token(match[0], match.span()) for match in _TOKEN.finditer(value, span[1], end)]
    if not tokens:
        return (url, span, None, None, None, (span[1], span[1])), position
    whole = (tokens[0].span[0], tokens[-1].span[1])
    read = read_descriptors(tokens)
    if isinstance(read, Rejected):
        problems.append(_dropped(url, (span[0], whole[1]), read))
        return None, position
    return (url, span, read.width, read.density, read.height, whole), position


def _end_of_descriptors(value: str, position: int) -> tuple[int, int]:
    """Where the descriptors end, and where parsing goes on: after the first comma that is not in parentheses.

    Step 8, descriptor tokenizer: parentheses do not nest, and an unclosed one runs to the end of the value.
    """
    length = len(value)
    comma = value.find(",", position)
    end = length if comma < 0 else comma
    opening = value.find("(", position, end)
    while opening >= 0:
        closing = value.find(")", opening)
        if closing < 0:
            return length, length
        if closing > end:
            comma = value.find(",", closing)
            end = length if comma < 0 else comma
        opening = value.find("(", closing, end)
    return end, min(end + 1, length)


def _stray(value: str, start: int, end: int) -> Problem:
    span = (value.index(",", start, end), value.rindex(",", start, end) + 1)
    return Problem("stray-comma", "A comma here separates nothing and is ignored; remove it.", span=span)


def trailing_comma(value: str) -> Problem | None:
    """Tell of a comma behind the last candidate: no parse error, and no part of the grammar that authors are given."""
    end = len(value.rstrip(_SPACE))
    if not value.endswith(",", 0, end):
        return None
    message = "A comma follows the last candidate: browsers ignore it, but the standard forbids it."
    return Problem("trailing-comma", message, span=(end - 1, end))


def _dropped(url: str, span: Span, why: Rejected) -> Problem:
    shown = url if len(url) <= 80 else url[:79] + "…"
    words = (url, why.word) if why.word else (url,)
    return Problem(why.code, f"Browsers drop the candidate `{shown}` because {why.reason}.", span=span, words=words)
