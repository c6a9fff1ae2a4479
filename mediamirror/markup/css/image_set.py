"""The arguments of ``image-set()``: https://drafts.csswg.org/css-images-4/#image-set-notation

    image-set( [ [ <image> | <string> ] [ <resolution> || type( <string> ) ]? ]# )

Browsers drop the whole declaration when anything in it is wrong; a mirror takes its URLs all the same, and says why.
"""

from __future__ import annotations

import re
from dataclasses import field

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.css.tokens import WS, Piece, comment_end, string_at, unescape, url_at
from mediamirror.model import Span

_TOKEN = pattern(
    rf"/\*|[\"',;(){{}}\[\]]|(?:[^{WS}\"',;(){{}}\[\]\\/]++|/(?!\*)|\\(?:[0-9a-fA-F]{{1,6}}+[{WS}]?|[\s\S]|\Z)|(?!))++\(?"
)
_RESOLUTION = pattern(r"([+-]?(?:[0-9]*\.)?[0-9]+(?:e[+-]?[0-9]+)?)(x|dppx|dpi|dpcm)", re.IGNORECASE | re.ASCII)
_PER_DPPX = {"x": 1.0, "dppx": 1.0, "dpi": 1 / 96, "dpcm": 2.54 / 96}
_NESTED = frozenset({"image-set", "-webkit-image-set"})
_TAKES_STRINGS = frozenset({"", "image", "src"}) | _NESTED
_MATH = frozenset({"calc", "min", "max", "clamp", "round", "abs", "mod", "rem", "hypot"})
_CLOSERS = {")", "]"}


@dataclass(frozen=True, slots=True)
class Option:
    """One image of a set: its URL without escapes, the place of its spelling, and what is said about it.

    ``density`` is in device pixels per CSS pixel, None where no resolution is written; ``mime`` is the ``type()``.
    """

    url: str
    span: Span
    density: float | None = None
    mime: str | None = None


@dataclass(frozen=True, slots=True)
class ImageSetRead:
    """Every option in order, where the text goes on, and the reason why browsers drop the declaration."""

    options: tuple[Option, ...]
    end: int
    trouble: str | None = None
    bad: tuple[Span, ...] = ()


@dataclass(slots=True)
class _Draft:
    """One entry between commas, while it is read."""

    pieces: list[Piece] = field(default_factory=list)
    images: int = 0
    densities: list[float] = field(default_factory=list)
    types: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Reader:
    css: str
    options: list[Option] = field(default_factory=list)
    draft: _Draft = field(default_factory=_Draft)
    open: list[tuple[str, int]] = field(default_factory=list)
    """The functions and brackets that are open, with the place where each starts."""
    trouble: str | None = None
    bad: list[Span] = field(default_factory=list)


def read_image_set(css: str, start: int) -> ImageSetRead:
    """Read the arguments that start at ``start``, behind the parenthesis.

    The closing parenthesis ends them, or the end of the text, or what no argument can hold: ``;``, ``{`` and ``}``.
    """
    reader = _Reader(css)
    position = start
    while (match := _TOKEN.search(css, position)) is not None:
        lexeme = match[0]
        if lexeme in {";", "{", "}"}:
            _complain(reader, "its parenthesis is never closed")
            position = match.start()
            break
        position = _step(reader, lexeme, match)
        if lexeme == ")" and not reader.open:
            break
        if lexeme in _CLOSERS:
            _close(reader, position)
    else:
        position = len(css)
    _flush(reader)
    return ImageSetRead(tuple(reader.options), position, reader.trouble, tuple(reader.bad))


def _step(reader: _Reader, lexeme: str, match: re.Match[str]) -> int:
    """Take one lexeme; return where reading goes on."""
    if lexeme == "/*":
        return comment_end(reader.css, match.start())
    if lexeme in {'"', "'"}:
        return _string(reader, string_at(reader.css, match.start()))
    if lexeme == ",":
        if not reader.open or reader.open[-1][0] in _NESTED:
            _flush(reader)
    elif lexeme in {"(", "["}:
        _complain(reader, "there is a bracket where an image should be")
        reader.open.append((lexeme, match.start()))
    elif lexeme.endswith("("):
        return _function(reader, unescape(lexeme[:-1]).lower(), match)
    elif lexeme not in _CLOSERS and not reader.open:
        _word(reader, lexeme)
    elif lexeme not in _CLOSERS and reader.open[-1][0] == "type":
        _complain(reader, "type() takes a string")
    return match.end()


def _string(reader: _Reader, piece: Piece) -> int:
    within = reader.open[-1][0] if reader.open else ""
    if piece.value is None:
        reader.bad.append(piece.span)
        _complain(reader, "a string is not closed")
    elif within == "type":
        reader.draft.types.append(piece.value)
    elif within in _TAKES_STRINGS:
        reader.draft.pieces.append(piece)
        # What a function holds was counted as an image where the function started.
        reader.draft.images += not within or within in _NESTED
    return piece.end


def _function(reader: _Reader, name: str, match: re.Match[str]) -> int:
    outermost = not reader.open
    if name in _NESTED:
        _complain(reader, "an image-set() can't be inside another")
    elif outermost and name not in _MATH and name != "type":
        reader.draft.images += 1
    if name != "url":
        reader.open.append((name, match.start()))
        return match.end()
    piece = url_at(reader.css, match.end())
    if piece.value is None:
        reader.bad.append(piece.span)
        _complain(reader, "a url() in it is broken")
    else:
        reader.draft.pieces.append(piece)
    if not outermost and reader.open[-1][0] in _NESTED:
        reader.draft.images += 1
    if reader.css[piece.end - 1 : piece.end] in {'"', "'"} and piece.span[1] < piece.end:
        reader.open.append(("url", match.start()))  # url("…" …): the parenthesis is still to come
    return piece.end


def _word(reader: _Reader, lexeme: str) -> None:
    resolution = _RESOLUTION.fullmatch(lexeme)
    density = float(resolution[1]) * _PER_DPPX[resolution[2].lower()] if resolution else -1.0
    if resolution is None:
        _complain(reader, f"`{lexeme[:40]}` is neither an image nor a resolution")
    elif not 0 <= density < float("inf"):
        _complain(reader, f"`{lexeme[:40]}` is no resolution")
    else:
        reader.draft.densities.append(density)


def _close(reader: _Reader, position: int) -> None:
    if not reader.open:
        return
    name, start = reader.open.pop()
    if name in _MATH and not reader.open:
        density = _calculated(reader.css[start:position])
        if density is None:
            _complain(reader, f"`{name}()` gives no resolution")
        else:
            reader.draft.densities.append(density)


def _calculated(text: str) -> float | None:
    # Sheets with calculated resolutions are rare: what they need is loaded when one is met.
    from mediamirror.markup.standard.calc import quantity  # noqa: PLC0415
    from mediamirror.markup.standard.screen import RESOLUTION, Screen  # noqa: PLC0415
    from mediamirror.markup.standard.values import component_values  # noqa: PLC0415

    nodes = component_values(text)
    result = quantity(nodes[0], Screen(0, 0)) if len(nodes) == 1 else None
    return max(0.0, result.value) if result is not None and result.type == RESOLUTION else None


def _flush(reader: _Reader) -> None:
    draft, reader.draft = reader.draft, _Draft()
    if draft.images != 1:
        _complain(reader, "an entry has no image" if draft.images == 0 else "an entry has more than one image")
    if len(draft.densities) > 1 or len(draft.types) > 1:
        _complain(reader, "an entry has two resolutions or types")
    density = draft.densities[0] if draft.densities else None
    mime = draft.types[0] if draft.types else None
    reader.options.extend(Option(p.value, p.span, density, mime) for p in draft.pieces if p.value is not None)


def _complain(reader: _Reader, reason: str) -> None:
    reader.trouble = reader.trouble or reason
