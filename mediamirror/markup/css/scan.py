"""CSS text to the images it names: https://drafts.csswg.org/css-images-4/ and https://drafts.csswg.org/css-values-4/#urls

Looks only at what can hold a URL, and skips the rest with one search: escapes, comments, strings, functions, at-rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import field

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.css.image_set import Option, read_image_set
from mediamirror.markup.css.tokens import Piece, comment_end, name_at, name_before, skip_space, string_at, url_at
from mediamirror.model import Span

_OF_INTEREST = pattern(r"[\"'(@\\]|/\*")
_IN_A_PRELUDE = pattern(r"[\"'(\\{};]|/\*")
_IN_A_BLOCK = pattern(r"[\"'(\\{}]|/\*")
_NO_IMAGES = frozenset({"font-face", "font-feature-values", "font-palette-values", "color-profile"})
"""At-rules whose block may name files, but no images."""
_MAX_IMAGES = 50_000
_LOADS_NO_IMAGE = ("behavior", "-moz-binding")
"""Properties of old browsers whose URL names a script or a binding."""
_OF_FONTS = "src"
"""What names files in ``@font-face`` alone, and has no meaning in a rule that lost it."""
_LONGEST_DECLARATION = 200


@dataclass(frozen=True, slots=True)
class Image:
    """One image as CSS writes it: the function, its options in order, and why browsers drop it, if they do."""

    function: str
    options: tuple[Option, ...]
    start: int
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Import:
    """The address in an ``@import``: another style sheet, no image."""

    url: str
    span: Span


@dataclass(slots=True)
class Scan:
    """What a text holds, in order. ``bad`` are the places of strings and urls that no browser reads."""

    images: list[Image] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    bad: list[Span] = field(default_factory=list)
    cut: int | None = None
    """Where reading stopped because there were too many images."""


def scan(css: str) -> Scan:
    """Find every image of a style sheet, or of the declarations in a ``style`` attribute. Linear; never raises."""
    found = Scan()
    position = 0
    while (match := _OF_INTEREST.search(css, position)) is not None:
        if len(found.images) >= _MAX_IMAGES:
            found.cut = match.start()
            break
        if match[0] == "(":
            position = _function(css, match.start(), found)
        elif match[0] == "@":
            position = _at_rule(css, match.start(), found)
        else:
            position = _PASSED_OVER[match[0]](css, match.start())
    return found


def _function(css: str, start: int, found: Scan) -> int:
    name = name_before(css, start)
    if name == "url":
        return _url(css, start, found)
    if name in {"image-set", "-webkit-image-set"}:
        read = read_image_set(css, start + 1)
        found.images.append(Image(name, read.options, start, read.trouble))
        found.bad.extend(read.bad)
        return read.end
    if name in {"image", "src"}:
        opening = skip_space(css, start + 1)
        if css[opening : opening + 1] in {'"', "'"}:
            return _take(string_at(css, opening), name, start, found)
    return start + 1


def _url(css: str, start: int, found: Scan) -> int:
    piece = url_at(css, start + 1)
    begin = max(0, start - _LONGEST_DECLARATION)
    opening = max(css.rfind(mark, begin, start) for mark in "{};")
    name = css[max(begin, opening + 1) : start].partition(":")[0].strip().lower()
    loads_none = name.endswith(_LOADS_NO_IMAGE) or name == _OF_FONTS
    return piece.end if loads_none else _take(piece, "url", start, found)


def _take(piece: Piece, function: str, start: int, found: Scan) -> int:
    if piece.value is None:
        found.bad.append(piece.span)
    else:
        found.images.append(Image(function, (Option(piece.value, piece.span),), start))
    return piece.end


def _at_rule(css: str, start: int, found: Scan) -> int:
    name, end = name_at(css, start + 1)
    if not name:
        return start + 1
    if name == "import":
        _import(css, end, found)
    stop = _prelude_end(css, end)
    if name in _NO_IMAGES and css.startswith("{", stop - 1):
        return _block_end(css, stop)
    return stop


def _import(css: str, start: int, found: Scan) -> None:
    opening = skip_space(css, start)
    while css.startswith("/*", opening):
        opening = skip_space(css, comment_end(css, opening))
    piece = None
    if css[opening : opening + 1] in {'"', "'"}:
        piece = string_at(css, opening)
    elif css[opening : opening + 4].lower() == "url(":
        piece = url_at(css, opening + 4)
    if piece is not None and piece.value is not None:
        found.imports.append(Import(piece.value, piece.span))


def _prelude_end(css: str, start: int) -> int:
    """Behind the ``{`` or ``;`` that ends an at-rule's prelude, parenthesis open or not; a ``}`` ends it too, and stays."""
    for mark, position in _tokens(css, start, _IN_A_PRELUDE):
        return position if mark == "}" else position + 1
    return len(css)


def _block_end(css: str, start: int) -> int:
    depth = 1
    for mark, position in _tokens(css, start, _IN_A_BLOCK):
        depth += 1 if mark == "{" else -1
        if depth == 0:
            return position + 1
    return len(css)


def _tokens(css: str, start: int, pattern: re.Pattern[str]) -> Iterator[tuple[str, int]]:
    """The braces and semicolons from ``start`` on; strings, urls, comments and escapes are passed over."""
    position = start
    while (match := pattern.search(css, position)) is not None:
        mark, at = match[0], match.start()
        if mark == "(":
            position = url_at(css, at + 1).end if name_before(css, at) == "url" else at + 1
        elif mark in _PASSED_OVER:
            position = _PASSED_OVER[mark](css, at)
        else:
            position = match.end()
            yield mark, at


_PASSED_OVER: dict[str, Callable[[str, int], int]] = {
    '"': lambda css, start: string_at(css, start).end,
    "'": lambda css, start: string_at(css, start).end,
    "\\": lambda _css, start: start + 2,
    "/*": comment_end,
}
"""What can hold no image of its own, and how to get behind it."""
