"""JSON as pages carry it: read without recursion, with the place of every string, and forgiving.

Takes several values in one text, trailing commas, bare newlines in strings, a byte order mark, comment and CDATA wrappers,
and values cut off at the end; of JavaScript names without quotes, strings in single ones, and ``\\x2f``; lists without commas,
as numpy prints them. What fits nowhere is stepped over and counted as an error. Linear in the text's length.
"""

from __future__ import annotations

import re
from dataclasses import field
from itertools import accumulate
from json import JSONDecoder
from typing import Any

from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Span

MAX_NODES = 200_000
"""Most values read from one text, so that megabytes of brackets cost bounded memory."""

_TOKEN = pattern(
    r"""[\s,:\ufeff]*+(?:
        "(?P<text>(?:[^"\\]++|\\[\s\S]?|(?!))*+)(?:(?P<shut>")(?P<colon>\s*+:)?)?
        | (?<=[{\[(,:\s])'(?P<single>(?:[^'\\\r\n]++|\\[\s\S]|(?!))*+)'(?:(?P<named>\s*+:)|(?=\s*+[,}\])]|\s++['"]|\s*+\Z))
        | (?P<open>[{\[]) | (?P<close>[}\]]) | (?P<bare>[\w.+\-$]++)(?P<naming>\s*+:)? | (?P<odd>[\s\S]) )""",
    re.VERBOSE,
)
_ESCAPE = pattern(r"\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|x([0-9a-fA-F]{2})|([\s\S]?))")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_OPENING = pattern(r"[\s\ufeff]*+(?:<!--+|(?://|/\*)?\s*<!\[CDATA\[(?:\s*\*/)?)", re.IGNORECASE)
_CLOSING = pattern(r"(?:(?<!-)--++!?>|(?:(?://|/\*)|(?<!\s))\s*+\]\]>(?:\s*+\*/|(?!))?+)\s*+\Z")
_TAIL = 64


@dataclass(frozen=True, slots=True)
class Text:
    """A string: its value, and the place of its spelling between the quotes, in code points."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Array:
    """A list of values."""

    items: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Object:
    """Names and values in order; names may repeat."""

    members: list[tuple[str, Json]] = field(default_factory=list)

    def get(self, name: str) -> Json | None:
        """Return the first value of a name."""
        return next((value for key, value in self.members if key == name), None)


Json = Text | Array | Object | str
"""A value; a ``str`` is the spelling of a number, ``true``, ``false``, ``null`` or another bare word."""


@dataclass(slots=True)
class Reading:
    """The values of a text in order, and where something was wrong with it first."""

    values: list[Json] = field(default_factory=list)
    error: int | None = None
    is_cut: bool = False
    """There were more than `MAX_NODES` values: the rest is missing."""
    is_unfinished: bool = False
    """The text ends within a value."""


@dataclass(slots=True)
class _Reader:
    """The containers that are open, innermost last, each with the name its next value gets."""

    reading: Reading = field(default_factory=Reading)
    open: list[Array | Object] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)


class _Number(str):
    """The spelling of a number, while it is to be told from a string."""

    __slots__ = ()


_DECODER = JSONDecoder(object_pairs_hook=Object, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
_WORDS = {None: "null", True: "true", False: "false"}
MAX_AT_ONCE = 64 * 1024
"""Longest text that `whole_json` reads, in code points."""


def whole_json(text: str) -> Array | Object | None:
    """Read a text that is one object or list, well-formed and without a backslash, as most rows are; None for any other.

    The standard library's reader takes a fifth of the time of `read_json`. It gives no places: without escapes these are what
    lies between the quotation marks.
    """
    if len(text) > MAX_AT_ONCE or "\\" in text:
        return None
    pieces = text.split('"')
    ends = list(accumulate(map(len, pieces)))
    strings = iter(range(1, len(pieces), 2))  # in the order of the text, names included

    def placed(value: Any) -> Json:
        kind = type(value)
        if kind is str:
            at = next(strings)
            return Text(value, (ends[at - 1] + at, ends[at] + at))
        if kind is Object:
            value.members[:] = [(name, placed(each)) for name, each in value.members if next(strings)]
            return value  # type: ignore[no-any-return]
        if kind is list:
            return Array([placed(each) for each in value])
        return value if kind is _Number else _WORDS[value]

    try:
        value = placed(_DECODER.decode(text)) if text[:1] in "[{" else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Array | Object) else None


def read_json(text: str, start: int = 0, stop: int | None = None) -> Reading:
    """Read every value of a text, or of the part of it from ``start`` to ``stop``. Never raises for a string."""
    reader = _Reader()
    opening = _OPENING.match(text, start)
    position = opening.end() if opening else start
    end = len(text) if stop is None else stop
    closing = _CLOSING.search(text, max(position, end - _TAIL), end)
    end = closing.start() if closing else end
    nodes = 0
    while (match := _TOKEN.match(text, position, end)) is not None:
        nodes += 1
        if nodes > MAX_NODES:
            reader.reading.is_cut = True
            break
        _take(reader, match)
        position = match.end()
    else:
        reader.reading.is_unfinished |= bool(reader.open)
    if reader.open:
        _wrong(reader, end)
    return reader.reading


def _take(reader: _Reader, match: re.Match[str]) -> None:
    kind = match.lastgroup
    if kind in {"colon", "shut", "text"}:
        _string(reader, match, "text", kind)
    elif kind in {"single", "named"}:
        _wrong(reader, match.start("single"))  # as scripts write it
        _string(reader, match, "single", "colon" if kind == "named" else "shut")
    elif kind == "open":
        container = Object() if match["open"] == "{" else Array()
        _add(reader, container, match.start("open"))
        reader.open.append(container)
        reader.names.append(None)
    elif kind == "close":
        _close(reader, match["close"], match.start("close"))
    elif kind == "naming" and reader.open and isinstance(reader.open[-1], Object) and reader.names[-1] is None:
        # A name without quotes, as scripts write it.
        _wrong(reader, match.start("bare"))
        reader.names[-1] = match["bare"]
    elif kind in {"bare", "naming"}:
        _add(reader, match["bare"], match.start("bare"))
    elif kind == "odd":
        _wrong(reader, match.start("odd"))


def _string(reader: _Reader, match: re.Match[str], group: str, kind: str) -> None:
    spelling, span = match[group], match.span(group)
    value = _ESCAPE.sub(_unescaped, spelling) if "\\" in spelling else spelling
    if kind == "text":
        # Cut off at the end: half a URL is worse than none.
        reader.reading.is_unfinished = True
        _wrong(reader, span[0])
    elif kind == "colon" and reader.open and isinstance(reader.open[-1], Object) and reader.names[-1] is None:
        reader.names[-1] = value
    else:
        _add(reader, Text(value, span), span[0])


def _unescaped(match: re.Match[str]) -> str:
    first, second, byte, char = match.groups()
    if byte is not None:
        return chr(int(byte, 16))
    if first is None:
        return _ESCAPES.get(char, char)
    high = int(first, 16)
    if second is None:
        return "\ufffd" if 0xD800 <= high <= 0xDFFF else chr(high)
    low = int(second, 16)
    if 0xD800 <= high <= 0xDBFF:
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    return ("\ufffd" if 0xDC00 <= high <= 0xDFFF else chr(high)) + "\ufffd"


def _add(reader: _Reader, value: Json, start: int) -> None:
    if not reader.open:
        reader.reading.values.append(value)
        if isinstance(value, str):
            _wrong(reader, start)
        return
    container, name = reader.open[-1], reader.names[-1]
    if isinstance(container, Array):
        container.items.append(value)
    elif name is None:
        _wrong(reader, start)
        if isinstance(value, Array | Object):
            reader.reading.values.append(value)  # it is read for itself
    else:
        container.members.append((name, value))
        reader.names[-1] = None


def _close(reader: _Reader, bracket: str, start: int) -> None:
    if not reader.open or isinstance(reader.open[-1], Object) is not (bracket == "}"):
        _wrong(reader, start)
        if not reader.open:
            return
    reader.open.pop()
    reader.names.pop()


def _wrong(reader: _Reader, position: int) -> None:
    if reader.reading.error is None:
        reader.reading.error = position
