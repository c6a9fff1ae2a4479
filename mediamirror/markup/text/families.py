"""Bare image URLs in plain text, grouped by naming: alone, a link in an article is not an image set."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mediamirror.markup.naming.families import grouped
from mediamirror.markup.naming.image_urls import is_image_url
from mediamirror.markup.places.candidates import Context, merged, placed
from mediamirror.markup.places.source import SourceText
from mediamirror.markup.text.clean import Visible, unescape, unescape_json
from mediamirror.model import Candidate, ImageSet, Reference, Source, Span

_URL = re.compile(r"https?:(?:\\?/){2}[^\s\"'<>`{}|^\u00ab\u00bb\u201c\u201d]+", re.IGNORECASE)
_NEXT = re.compile(r",(?=https?:)", re.IGNORECASE)
_ESCAPED_END = re.compile(r"&(?:quot|gt|lt|apos|#0?3[49]|#x2[27]);", re.IGNORECASE)
_PUNCTUATION = ".,;:!?*_\\"
_MAX_URL = 2048


def bare_families(
    clean: Visible, source: SourceText, context: Context, taken: frozenset[str], carrier: str
) -> list[ImageSet]:
    """Find the sets that naming alone makes of a text's URLs, in order. ``taken`` are URLs that belong to sets already."""
    rows = (_row(place, clean, source, context, carrier) for place in _places(clean.text))
    free = [row for row in rows if row is not None and row.candidates[0].url not in taken]
    return [row for row in grouped(merged(free)) if row.inferred]


def _places(text: str) -> Iterator[Span]:
    for match in _URL.finditer(text):
        start = match.start()
        # A comma may join the next URL to this one without a space.
        for end, following in [*(comma.span() for comma in _NEXT.finditer(text, *match.span())), (match.end(), 0)]:
            if end - start <= _MAX_URL:
                yield start, _trimmed(text, start, end)
            start = following


def _trimmed(text: str, start: int, end: int) -> int:
    """Where a URL ends before the punctuation of the sentence, and a bracket that was opened in front of it."""
    escaped = _ESCAPED_END.search(text, start, end)
    url = text[start : escaped.start() if escaped else end]
    while url and (
        url[-1] in _PUNCTUATION or (url[-1] in ")]" and url.count(url[-1]) > url.count("(["[url[-1] == "]"]))
    ):
        url = url[:-1]
    return start + len(url)


def _row(place: Span, clean: Visible, source: SourceText, context: Context, carrier: str) -> ImageSet | None:
    spelled = clean.text[slice(*place)]
    url = unescape(unescape_json(spelled))
    if not is_image_url(url):
        return None
    start, end = clean.original(*place)
    line = source.line(start)
    flags = ("unescaped",) if url != spelled else ()
    reference = Reference(context.document, carrier, None, line, source.span(start, end))
    candidate = Candidate(url, (start, end), descriptor_span=(end, end), flags=flags)
    outcome = placed(candidate, raw_url=source.text[start:end], reference=reference, context=context)
    if not isinstance(outcome, Candidate):
        return None
    return ImageSet(context.document, line, (Source(carrier, (outcome,)),))
