"""Plain lists and Markdown: one srcset value, one URL a line, or images between paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mediamirror.markup import html, text
from mediamirror.markup.candidates import Context, merged, placed, split_problems
from mediamirror.markup.source import SourceText
from mediamirror.markup.srcset import parse_srcset
from mediamirror.model import Candidate, Extraction, ImageSet, Problem, Reference, Source, Span

_VALUE = re.compile(r"\S[^\r\n]*(?:\r?\n[ \t\f]*\S[^\r\n]*)*")
_LINE = re.compile(r"[^\r\n]+")
_WS = "\t\n\f\r "
_IMAGE = re.compile(
    r"!\[([^\[\]\n]{0,500})\]\([ \t]*(?:<([^<>\n]{1,8192})>|([^\s<>()]{1,8192}(?:\([^\s<>()]{0,200}\)[^\s<>()]{0,8192})?))"
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where URLs of one document go: what they are resolved with, and how positions become bytes and lines."""

    source: SourceText
    context: Context
    carrier: str

    def place(self, candidate: Candidate, offset: int) -> Candidate | Problem:
        start, end = candidate.span[0] + offset, candidate.span[1] + offset
        line = self.source.line(start)
        reference = Reference(self.context.document, self.carrier, None, line, self.source.span(start, end))
        return placed(candidate, raw_url=self.source.text[start:end], reference=reference, context=self.context)

    def image_set(
        self, position: int, rows: list[Candidate | Problem], *, alt: str | None = None, more: tuple[Problem, ...] = ()
    ) -> ImageSet:
        candidates, problems = split_problems(rows)
        line = self.source.line(position)
        sources = (Source(self.carrier, candidates),)
        return ImageSet(self.context.document, line, sources, alt=alt, problems=more + problems)


def find_srcset(source: SourceText, document: str, base_url: str | None, *, merge: bool = True) -> Extraction:
    """Read srcset attribute values as they are, without quotes and escapes; an empty line parts two of them."""
    place = _Place(source, Context(document, base_url), "srcset")
    sets = [_value(place, match) for match in _VALUE.finditer(source.text)]
    return _extraction(sets, merge=merge)


def _value(place: _Place, match: re.Match[str]) -> ImageSet:
    parsed = parse_srcset(match[0])
    offset = match.start()
    problems = tuple(
        replace(p, line=place.source.line(offset + (p.span[0] if p.span else 0)), document=place.context.document)
        for p in parsed.problems
    )
    rows = [place.place(candidate, offset) for candidate in parsed.candidates]
    return place.image_set(offset, rows, more=problems)


def find_urls(source: SourceText, document: str, base_url: str | None, *, merge: bool = True) -> Extraction:
    """Read one URL a line, each an image set of its own; lines that start with ``#`` are comments."""
    place = _Place(source, Context(document, base_url), "urls")
    sets = [
        place.image_set(start, [place.place(_bare(source.text[start:end]), start)])
        for start, end in _url_lines(source.text)
    ]
    return _extraction(sets, merge=merge)


def _url_lines(body: str) -> Iterator[Span]:
    for match in _LINE.finditer(body):
        url = match[0].strip(_WS)
        if url and not url.startswith("#"):
            start = match.start() + len(match[0]) - len(match[0].lstrip(_WS))
            yield start, start + len(url)


def find_markdown(
    source: SourceText, data: bytes, document: str, base_url: str | None, *, merge: bool = True
) -> Extraction:
    """Read Markdown: ``![alt](url)``, inline HTML, and srcset strings in its text."""
    place = _Place(source, Context(document, base_url), "markdown")
    images = Extraction(tuple(_images(place)))
    inline = html.find(data, document=document, base_url=base_url, encoding="utf-8", merge=False)
    plain = text.find(source, document=document, base_url=base_url, merge=False)
    seen: set[Span | None] = set()
    sets: list[ImageSet] = []
    # One place is read once: by the text finder where a descriptor follows, as HTML within tags, else as an image.
    for found in (inline, plain, images):
        sets += [row for row in found.sets if not seen & _spans(row)]
        seen |= {span for row in found.sets for span in _spans(row)}
    sets.sort(key=lambda row: (row.line, min((s for s in _spans(row) if s), default=(0, 0))))
    extraction = _extraction(sets, merge=merge)
    return Extraction(extraction.sets, extraction.problems + inline.problems + plain.problems)


def _images(place: _Place) -> Iterator[ImageSet]:
    for match in _IMAGE.finditer(place.source.text):
        group = 2 if match[2] is not None else 3
        row = place.place(_bare(match[group]), match.start(group))
        yield place.image_set(match.start(), [row], alt=match[1] or None)


def _spans(image_set: ImageSet) -> set[Span | None]:
    return {c.reference.span for c in image_set.candidates if c.reference is not None}


def _bare(url: str) -> Candidate:
    return Candidate(url, (0, len(url)), descriptor_span=(len(url), len(url)))


def _extraction(sets: list[ImageSet], *, merge: bool) -> Extraction:
    usable = [row for row in sets if row.candidates]
    problems = tuple(problem for row in sets if not row.candidates for problem in row.problems)
    return Extraction(merged(usable) if merge else tuple(usable), problems)
