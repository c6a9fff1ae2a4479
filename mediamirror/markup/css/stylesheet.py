"""Image sets in CSS: style sheets here, ``<style>`` and ``style=""`` through `image_sets`.

Every ``url()`` outside of fonts and at-rule preludes is an image set of its own; ``image-set()`` is one set with densities
and types. What loads nothing (``url()``, ``url(#id)``, ``data:``) is passed over in silence. ``@import`` names another
style sheet, no image: it is reported as the problem ``css-import``, so that nobody takes a sheet for read that was not; whoever
reads that sheet too drops the problem.

A reference's span covers the URL's spelling without quotes or parentheses: to splice, look at the character before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mediamirror.first_use import pattern, replace
from mediamirror.markup.css.scan import Image, scan
from mediamirror.markup.css.tokens import WS
from mediamirror.markup.places.candidates import Context, merged, placed
from mediamirror.markup.places.source import SourceText, decode
from mediamirror.markup.places.urls import shown
from mediamirror.model import Candidate, Extraction, ImageSet, Problem, Reference, Source, Span

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
