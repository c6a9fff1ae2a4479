"""Lazy images and their copies in ``noscript`` are one picture: they become one image set."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from turbohtml import Element

from mediamirror.dialects import MAX_URL
from mediamirror.first_use import dataclass, replace
from mediamirror.markup.naming.families import stem
from mediamirror.markup.page.parsed import Page
from mediamirror.model import Candidate, ImageSet, Reference, Source, Span

IGNORED = "noscript"
"""Why a browser with scripting never selects from a source."""
_PICTURES = frozenset({"img", "source", "picture", "lazy", "amp-img"})
_NEAR = 2
"""How many image sets away, in document order, the lazy image of a ``noscript`` copy may stand."""


def folded(rows: Sequence[ImageSet], page: Page) -> list[ImageSet]:
    """Merge every ``noscript`` copy into the image set near by that shares a URL with it, or into a lazy one of the same name.

    ``rows`` are in document order. The twin keeps its own sources first and gains those of the copy that name new
    variants; the copy's place becomes one of its places. A copy without twin stays a set.
    """
    within = _Ranges.of(page)
    if not within.starts:
        return list(rows)
    out: list[ImageSet | None] = list(rows)
    hidden = [within.holds(row) for row in rows]
    for index, is_copy in enumerate(hidden):
        copy = out[index]
        twin = _twin(index, out, hidden) if is_copy and copy is not None else None
        if copy is not None and twin is not None:
            out[twin] = _joined(out[twin] or copy, copy)
            out[index] = None
    return [row for row in out if row is not None]


def _twin(index: int, rows: list[ImageSet | None], hidden: list[bool]) -> int | None:
    copy = rows[index]
    urls = {c.url for c in copy.candidates} if copy is not None else set()
    named: int | None = None
    for distance in range(1, _NEAR + 1):
        for other in (index - distance, index + distance):
            row = rows[other] if 0 <= other < len(rows) else None
            if row is not None and not hidden[other] and _is_picture(row) and urls & {c.url for c in row.candidates}:
                return other
            if named is None and row is not None and not hidden[other] and _is_named_alike(row, urls):
                named = other
    return named


def _is_named_alike(row: ImageSet, urls: set[str]) -> bool:
    """Whether a script's image is another size of the copy, by the naming of both; few copies get here."""
    if not any(source.carrier in _PICTURES and _is_lazy(source) for source in row.sources):
        return False
    stems = {stem(url) for url in urls if len(url) <= MAX_URL}
    return bool(stems) and stems <= {stem(c.url) for c in row.candidates if len(c.url) <= MAX_URL}


def _is_lazy(source: Source) -> bool:
    first = next(iter(_candidates(source)), None)
    attribute = first.reference.attribute if first is not None and first.reference is not None else None
    return attribute not in {None, "src", "srcset"}


def _is_picture(row: ImageSet) -> bool:
    return any(source.carrier in _PICTURES for source in row.sources)


def _joined(twin: ImageSet, copy: ImageSet) -> ImageSet:
    known = {(c.url, c.width, c.density) for c in twin.candidates}
    sources = [
        replace(source, ignored=source.ignored or IGNORED)
        for source in copy.sources
        if any((c.url, c.width, c.density) not in known for c in _candidates(source))
    ]
    first = copy.candidates[0].reference
    place = first or Reference(copy.document, copy.sources[0].carrier, None, copy.line)
    return replace(
        twin,
        sources=(*twin.sources, *sources),
        alt=twin.alt or copy.alt,
        problems=(*twin.problems, *copy.problems),
        places=(*twin.places, place, *copy.places),
    )


def _candidates(source: Source) -> list[Candidate]:
    return [*source.candidates, *([source.default] if source.default is not None else [])]


@dataclass(frozen=True, slots=True)
class _Ranges:
    """The byte ranges of the page's ``noscript`` elements, in order; they never nest."""

    starts: list[int]
    ends: list[int]

    @classmethod
    def of(cls, page: Page) -> _Ranges:
        spans = [span for element in page.elements(["noscript"]) if (span := _span(page, element)) is not None]
        return cls([start for start, _ in spans], [end for _, end in spans])

    def holds(self, row: ImageSet) -> bool:
        reference = row.candidates[0].reference if row.candidates else None
        if reference is None or reference.span is None:
            return False
        index = bisect_right(self.starts, reference.span[0]) - 1
        return index >= 0 and reference.span[0] < self.ends[index]


def _span(page: Page, element: Element) -> Span | None:
    location = element.source_location
    if location is None or location.end_tag is None:
        return None
    return page.bytes_of(location.start_tag.end_offset, location.end_tag.start_offset)
