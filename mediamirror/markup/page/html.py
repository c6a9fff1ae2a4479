"""Image sets in a page. The finders are in `finders`; this module runs them and puts the result in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mediamirror.first_use import replace
from mediamirror.markup.naming.families import grouped
from mediamirror.markup.page.carriers import find_links
from mediamirror.markup.page.finders import FINDERS, Finder
from mediamirror.markup.page.noscript import folded
from mediamirror.markup.page.parsed import Page, read
from mediamirror.markup.places.candidates import merged
from mediamirror.model import Extraction, ImageSet, Problem, Reference

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
    sets = [row for row in rows if _is_usable(row)]
    problems += [replace(each, alt=row.alt) for row in rows if not _is_usable(row) for each in row.problems]
    if merge:
        sets = list(grouped(absorbed(merged(folded(sets, page))), PICTURES))
    return Extraction(tuple(sets), tuple(problems))


def _bounded(page: Page, finders: tuple[Finder, ...], problems: list[Problem]) -> Iterator[ImageSet]:
    total = 0
    for finder in finders:
        for row in finder(page):
            total += max(1, sum(len(s.candidates) for s in row.sources) + len(row.problems))
            if total > MAX_PER_PAGE:
                message = f"The page names more than {MAX_PER_PAGE:,} images: the rest is left out."
                problems.append(Problem("too-many-candidates", message, row.line, document=page.context.document))
                return
            yield row


def _is_usable(row: ImageSet) -> bool:
    return any(source.candidates or source.default is not None for source in row.sources)


def _position(row: ImageSet) -> tuple[int, int]:
    # The candidates of a source stand in its value's order: the first of them is enough.
    urls = [c for source in row.sources for c in (*source.candidates[:1], source.default) if c is not None]
    references = [c.reference for c in urls if c.reference is not None]
    first = min([r.span[0] for r in references if r.span is not None], default=0)
    return min([r.line for r in references], default=row.line), first


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
