"""Image sets in a page. The finders are in `finders`; this module runs them and puts the result in order.

Lazy images and their copies in ``noscript`` are one picture: they become one image set.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from turbohtml import Element

from mediamirror.dialects import MAX_URL
from mediamirror.first_use import dataclass, replace
from mediamirror.markup.naming import grouped, stem
from mediamirror.markup.page.carriers import find_links
from mediamirror.markup.page.finders import FINDERS, Finder
from mediamirror.markup.page.parsed import Page, read
from mediamirror.markup.places.candidates import merged
from mediamirror.model import Candidate, Extraction, ImageSet, Problem, Reference, Source, Span

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


PICTURES = frozenset({"img", "source", "picture", "lazy", "json", "a", "area"})
"""Carriers of what a page shows: their sets may be grouped by naming. Icons and share images are named for themselves."""
MAX_PER_PAGE = 50_000
"""Most candidates read from one page, so that a hostile page costs bounded memory."""


def find(
    data: bytes,
    *,
    document: str,
    base_url: str | None,
    encoding: str | None = None,
    merge: bool = True,
    links: bool = False,
    is_xml: bool = False,
) -> Extraction:
    """Find the image sets of an HTML page, in document order.

    ``encoding`` is the label that the transport gave. Sets with the same variants become one with several ``places``,
    and those without descriptors that naming shows to be one picture become one ``inferred`` set,
    unless ``merge`` is False (for rewriting, which needs each of them). ``links`` takes ``a href`` to image files too;
    ``is_xml`` reads XHTML.
    Never raises for bytes.
    """
    page = read(data, document=document, base_url=base_url, encoding=encoding, is_xml=is_xml)
    problems: list[Problem] = []
    finders = (*FINDERS, find_links) if links else FINDERS
    rows = sorted(_bounded(page, finders, problems), key=_position)
    sets: list[ImageSet] = []
    for row in rows:
        if _is_usable(row):
            sets.append(row)
        else:
            problems += [replace(each, alt=row.alt) for each in row.problems]
    if merge:
        sets = list(grouped(absorbed(merged(folded(sets, page))), PICTURES))
    return Extraction(tuple(sets), tuple(problems))


def _bounded(page: Page, finders: tuple[Finder, ...], problems: list[Problem]) -> Iterator[ImageSet]:
    total = 0
    for finder in finders:
        for row in finder(page):
            total += max(1, sum([len(s.candidates) for s in row.sources]) + len(row.problems))
            if total > MAX_PER_PAGE:
                message = f"The page names more than {MAX_PER_PAGE:,} images: the rest is left out."
                problems.append(Problem("too-many-candidates", message, row.line, document=page.context.document))
                return
            yield row


def _is_usable(row: ImageSet) -> bool:
    return any(source.candidates or source.default is not None for source in row.sources)


def _position(row: ImageSet) -> tuple[int, int]:
    # The candidates of a source stand in its value's order: the first of them is enough.
    lines: list[int] = []
    starts: list[int] = []
    for source in row.sources:
        for candidate in (*source.candidates[:1], source.default):
            if candidate is not None and (reference := candidate.reference) is not None:
                lines.append(reference.line)
                if reference.span is not None:
                    starts.append(reference.span[0])
    return min(lines, default=row.line), min(starts, default=0)


_REPEATING = frozenset({"json", "lazy"})
"""Carriers that often repeat the images of an element: a page's state, the data of a gallery."""


def absorbed(sets: Iterable[ImageSet]) -> tuple[ImageSet, ...]:
    """Fold every set of a repeating carrier whose URLs all belong to one other set into that set, as a place. Linear."""
    rows = list(sets)
    repeats = [_repeats(row) for row in rows]
    if not any(repeats):
        return tuple(rows)
    owners: dict[str, int] = {}
    for index, row in enumerate(rows):
        if not repeats[index]:
            for candidate in row.candidates:
                owners.setdefault(candidate.url, index)
    places: dict[int, list[Reference]] = {}
    gone: set[int] = set()
    for index, row in enumerate(rows):
        owner = _owner(row, owners) if repeats[index] else None
        if owner is not None:
            places.setdefault(owner, []).extend([*_places(row), *row.places])
            gone.add(index)
    return tuple(_with(row, places.get(index)) for index, row in enumerate(rows) if index not in gone)


def _repeats(row: ImageSet) -> bool:
    return all(source.carrier in _REPEATING for source in row.sources)


def _owner(row: ImageSet, owners: dict[str, int]) -> int | None:
    found = {owners.get(candidate.url) for candidate in row.candidates}
    return next(iter(found)) if len(found) == 1 else None


def _places(row: ImageSet) -> list[Reference]:
    first = row.candidates[0]
    return [first.reference or Reference(row.document, row.sources[0].carrier, None, row.line)]


def _with(row: ImageSet, places: list[Reference] | None) -> ImageSet:
    return row if not places else replace(row, places=(*row.places, *places))
