"""The descriptor parser: steps 9 to 15 of parsing a srcset attribute.

https://html.spec.whatwg.org/multipage/images.html#parse-a-srcset-attribute
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Span

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
