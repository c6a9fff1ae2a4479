"""Image sets in CSS: style sheets here, ``<style>`` and ``style=""`` through `image_sets`.

https://drafts.csswg.org/css-images-4/ and https://drafts.csswg.org/css-values-4/#urls: the scan looks only at what can hold a URL,
and skips the rest with one search: escapes, comments, strings, functions, at-rules.

Every ``url()`` outside of fonts and at-rule preludes is an image set of its own; ``image-set()`` is one set with densities
and types. What loads nothing (``url()``, ``url(#id)``, ``data:``) is passed over in silence. ``@import`` names another
style sheet, no image: it is reported as the problem ``css-import``, so that nobody takes a sheet for read that was not; whoever
reads that sheet too drops the problem.

A reference's span covers the URL's spelling without quotes or parentheses: to splice, look at the character before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import field

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.css.image_set import Option, read_image_set
from mediamirror.markup.css.tokens import WS, Piece, comment_end, name_at, name_before, skip_space, string_at, url_at
from mediamirror.markup.places.candidates import Context, merged, placed
from mediamirror.markup.places.source import SourceText, decode
from mediamirror.markup.places.urls import shown
from mediamirror.model import Candidate, Extraction, ImageSet, Problem, Reference, Source, Span

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


Place = Callable[[Candidate], Candidate | Problem]
"""Resolves a candidate whose span counts code points of the CSS text, and says where in the document it stands."""
Line = Callable[[int], int]
"""The document's line of a position in the CSS text."""

_CHARSET = pattern(rb'@charset "([^"\x80-\xff]{1,64})";')
_LOADS_NOTHING = pattern(rf"[{WS}]*(?:#|data:|about:|\Z)", re.IGNORECASE)
_CARRIER = "css"


def find(
    data: bytes, *, document: str, base_url: str | None, encoding: str | None = None, merge: bool = True
) -> Extraction:
    """Find the image sets of a style sheet. ``base_url`` is the sheet's own address.

    ``encoding`` is the label that the transport gave; after it comes ``@charset`` (CSS Syntax 3, 3.2). Sets with the same
    variants become one unless ``merge`` is False. Never raises for bytes.
    """
    charset = _CHARSET.match(data)
    source = decode(data, encoding or (charset[1].decode("ascii") if charset else None))
    context = context_of(Context(document, base_url))
    rows = list(image_sets(source.text, context.document, lambda c: _placed(c, source, context), source.line))
    sets = [row for row in rows if isinstance(row, ImageSet)]
    problems = tuple(row for row in rows if isinstance(row, Problem))
    return Extraction(merged(sets) if merge else tuple(sets), problems)


def context_of(context: Context) -> Context:
    """Return the context for URLs in CSS, whose queries are UTF-8 whatever the page or sheet is encoded in.

    https://github.com/w3c/csswg-drafts/issues/9301
    """
    return replace(context, encoding="utf-8")


def image_sets(css: str, document: str, place: Place, line: Line) -> Iterator[ImageSet | Problem]:
    """Yield the image sets of a CSS text in order, and the problems that belong to none of them."""
    found = scan(css)
    for image in found.images:
        row = _image_set(image, document, place, line)
        if row.candidates:
            yield row
        else:
            yield from row.problems
    for sheet in found.imports:
        message = f"{shown(sheet.url)} is a style sheet of its own: give it as an INPUT to have its images too."
        yield Problem("css-import", message, line(sheet.span[0]), sheet.span, document, words=(sheet.url,))
    for start, end in found.bad:
        message = (
            f"Browsers drop `{shown(css[start : min(end, start + 200)])}`: quote the URL, or escape what is odd in it."
        )
        yield Problem("bad-css-url", message, line(start), (start, end), document)
    if found.cut is not None:
        message = f"The style sheet names more than {len(found.images):,} images: the rest is left out."
        yield Problem("too-many-candidates", message, line(found.cut), document=document)


def _image_set(image: Image, document: str, place: Place, line: Line) -> ImageSet:
    """One function as a set: for every type one source, as a browser takes the first type that it supports."""
    problems: list[Problem] = []
    if image.trouble is not None and image.options:
        message = f"Browsers drop this {image.function}() because {image.trouble}; its URLs are taken all the same."
        problems.append(Problem("invalid-image-set", message, line(image.start), document=document))
    by_type: dict[str | None, list[Candidate]] = {}
    for option in image.options:
        if _LOADS_NOTHING.match(option.url):
            continue
        outcome = place(Candidate(option.url, option.span, density=option.density))
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            by_type.setdefault(option.mime, []).append(outcome)
    sources = tuple(Source(_CARRIER, tuple(candidates), mime=mime) for mime, candidates in by_type.items())
    return ImageSet(document, line(image.start), sources, problems=tuple(problems))


def _placed(candidate: Candidate, source: SourceText, context: Context) -> Candidate | Problem:
    return placed_at(candidate, candidate.span, source, context)


def placed_at(candidate: Candidate, span: Span, source: SourceText, context: Context) -> Candidate | Problem:
    """Resolve a candidate that stands at ``span`` of a document's text, in no attribute."""
    start, end = span
    reference = Reference(context.document, _CARRIER, None, source.line(start), source.span(start, end))
    return placed(candidate, raw_url=source.text[start:end], reference=reference, context=context)
