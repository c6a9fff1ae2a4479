"""Plain lists: srcset values, or one URL a line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.naming import groups_of, joined_set, lone_url
from mediamirror.markup.places.candidates import Context, merged, placed, split_problems
from mediamirror.markup.places.source import SourceText
from mediamirror.markup.places.urls import plain
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Bare, Candidate, Extraction, ImageSet, Listed, Problem, Reference, Source, Span

_VALUE = pattern(r"\S[^\r\n]*(?:\r?\n[ \t\f]*\S[^\r\n]*)*")
_LINE = pattern(r"[^\r\n]+")
_WS = "\t\n\f\r "
_DESCRIBED = pattern(
    r"(\S+?)[,;]?[ \t]+(?:([0-9]{1,9})(?:w|px)?(?:[ \t]+([0-9]{1,9})h)?|([0-9]{1,4}(?:\.[0-9]{1,4})?)x)[,;]?"
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

    def image_set(self, position: int, rows: list[Candidate | Problem], *, more: tuple[Problem, ...] = ()) -> ImageSet:
        candidates, problems = split_problems(rows)
        line = self.source.line(position)
        sources = (Source(self.carrier, candidates),)
        return ImageSet(self.context.document, line, sources, problems=more + problems)


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
    """Read one URL a line, each an image set of its own; ``#`` at its start or after a tab begins a comment.

    Lines that naming shows to be one picture become one ``inferred`` set, unless ``merge`` is False.
    A width may follow the URL, as ``480``, ``480w`` or ``480px``, or a density (``2x``).
    """
    place = _Place(source, Context(document, base_url), "urls")
    rows: list[Bare | ImageSet] = []
    problems: list[Problem] = []
    for start, end in _url_lines(source.text):
        url = source.text[start:end]
        span = source.span(start, end) if plain(url, None) == url else None
        if span is not None:
            rows.append((url, source.line(start), span[0]))
            continue
        image_set = place.image_set(start, [place.place(_listed(url), start)])
        if image_set.candidates:
            rows.append(image_set)
        else:
            problems += image_set.problems
    sets = Listed(document, place.carrier, rows)
    return Extraction(_grouped(_merged(sets)) if merge else sets, tuple(problems))


def _merged(sets: Listed) -> Listed:
    """The same, where those of URLs that come again are merged."""
    urls = [_url(row) for row in sets.rows]
    if len(set(urls)) == len(urls):
        return sets
    often = Counter(urls)
    again = merged(sets[at] for at, url in enumerate(urls) if often[url] > 1)
    rows: dict[int, Bare | ImageSet] = {_line(row): row for row in sets.rows if often[_url(row)] == 1}
    rows |= {row.line: row for row in again}
    return Listed(sets.document, sets.carrier, [rows[line] for line in sorted(rows)])


def _grouped(sets: Listed) -> Listed:
    """The same, where those of one picture are one set."""
    groups = groups_of([row[0] if isinstance(row, tuple) else lone_url(row) for row in sets.rows])
    if not groups:
        return sets
    rows: list[Bare | ImageSet | None] = list(sets.rows)
    for first, *others in groups:
        rows[first] = joined_set([sets[at] for at in (first, *others)])
        for at in others:
            rows[at] = None
    return Listed(sets.document, sets.carrier, [row for row in rows if row is not None])


def _url(row: Bare | ImageSet) -> str:
    return row[0] if isinstance(row, tuple) else row.candidates[0].url


def _line(row: Bare | ImageSet) -> int:
    return row[1] if isinstance(row, tuple) else row.line


def _url_lines(body: str) -> Iterator[Span]:
    for match in _LINE.finditer(body):
        url = match[0].partition("\t#")[0].strip(_WS)
        if url and not url.startswith("#"):
            start = match.start() + len(match[0]) - len(match[0].lstrip(_WS))
            yield start, start + len(url)


def _listed(line: str) -> Candidate:
    found = _DESCRIBED.fullmatch(line)
    # No file is 0 pixels wide: then the number is part of a name with spaces.
    if found is None or not float(found[2] or found[4]):
        return Candidate(line, (0, len(line)), descriptor_span=(len(line), len(line)))
    width, density = (int(found[2]), None) if found[2] else (None, float(found[4]))
    height = int(found[3]) or None if found[3] else None
    start = found.start(2) if found[2] else found.start(4)
    return Candidate(found[1], found.span(1), width, density, height, (start, len(line)))


def _extraction(sets: list[ImageSet], *, merge: bool) -> Extraction:
    usable = [row for row in sets if row.candidates]
    problems = tuple(problem for row in sets if not row.candidates for problem in row.problems)
    return Extraction(merged(usable) if merge else tuple(usable), problems)
