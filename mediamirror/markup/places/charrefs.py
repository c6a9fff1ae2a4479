"""Character references in attribute values, decoded with the place of every code point kept.

HTML, 13.2.5.72 to 13.2.5.80 (https://html.spec.whatwg.org/multipage/parsing.html#character-reference-state), attribute
rule included: ``&copy=2`` is not a reference.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from html.entities import html5 as _NAMED

from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Span

_LONGEST = max(map(len, _NAMED))
_REFERENCE = pattern(rf"&(?:#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?|([0-9A-Za-z]{{1,{_LONGEST}}}+;?))|\x00")
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded value and the way back: ``raw_span`` gives the place of ``text[start:end]`` in the raw value."""

    text: str
    _at: tuple[int, ...]
    _raw: tuple[int, ...]

    def raw_span(self, start: int, end: int) -> Span:
        """Return the half-open span of the raw value that spells ``text[start:end]``, in code points."""
        at, raw = self._at, self._raw
        if not at:
            return start, end
        first, last = bisect_right(at, start) - 1, bisect_right(at, end) - 1
        return (start if first < 0 else raw[first] + start - at[first], end if last < 0 else raw[last] + end - at[last])


def decode(raw: str) -> Decoded:
    """Decode every character reference of a raw attribute value, once. Linear in its length."""
    if "&" not in raw and "\0" not in raw:
        return Decoded(raw, (), ())
    if raw.count("&") == raw.count("&amp;") and "\0" not in raw:
        return _decode_ampersands(raw)
    pieces: list[str] = []
    at: list[int] = []
    places: list[int] = []
    done = length = 0
    for match in _REFERENCE.finditer(raw):
        value, end = _value(match, raw)
        if value is None:
            continue
        pieces += raw[done : match.start()], value
        length += match.start() - done
        # Two marks: where the reference starts, and where plain text goes on behind it.
        at += length, length + len(value)
        places += match.start(), end
        length += len(value)
        done = end
    pieces.append(raw[done:])
    return Decoded("".join(pieces), tuple(at), tuple(places))


def _decode_ampersands(raw: str) -> Decoded:
    """`decode` where the only reference is ``&amp;``, as in most URLs with a query."""
    # One mark behind each is enough: up to the ampersand itself, the text before goes on.
    at: list[int] = []
    places: list[int] = []
    found, shorter = raw.find("&"), 0
    while found != -1:
        at.append(found - shorter + 1)
        places.append(found + 5)
        shorter += 4
        found = raw.find("&", found + 5)
    return Decoded(raw.replace("&amp;", "&"), tuple(at), tuple(places))


def _value(match: re.Match[str], raw: str) -> tuple[str | None, int]:
    hexadecimal, decimal, name = match.groups()
    if name is not None:
        return _named(name, match.start() + 1, raw)
    if hexadecimal or decimal:
        return _numeric(hexadecimal, 16) if hexadecimal else _numeric(decimal, 10), match.end()
    return _REPLACEMENT, match.end()


def _named(name: str, start: int, raw: str) -> tuple[str | None, int]:
    if name[-1] == ";" and name in _NAMED:
        return _NAMED[name], start + len(name)
    for stop in range(len(name), 1, -1):
        value = _NAMED.get(name[:stop])
        if value is None:
            continue
        end = start + stop
        following = raw[end : end + 1]
        # In an attribute, a name without semicolon before "=" or an alphanumeric is plain text.
        plain = name[stop - 1] != ";" and (following == "=" or (following.isascii() and following.isalnum()))
        return (None if plain else value), end
    return None, start


def _numeric(digits: str, base: int) -> str:
    significant = digits.lstrip("0")
    if not significant or len(significant) > 7:
        return _REPLACEMENT
    number = int(significant, base)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return _REPLACEMENT
    if 0x80 <= number <= 0x9F:
        return bytes([number]).decode("cp1252", "ignore") or chr(number)
    return chr(number)
