"""Image sets by naming: URLs without descriptors that differ only in what names a size are one picture.

Only grouping: no width is taken from a name, and no URL is made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mediamirror.dialects import HOLE, MAX_URL, read
from mediamirror.first_use import pattern, replace
from mediamirror.model import ImageSet


def stem(url: str) -> str:
    """Return the URL without what names a size in it: the same for all sizes of one picture, and for their original."""
    return read(url).stem


_NUMBERED = pattern(
    r"[-_]([1-9][0-9]{2,3})(?=\.(?:jpe?g|png|webp|avif|gif)(?:\.(?:webp|avif))?(?:\?|\Z))", re.IGNORECASE | re.ASCII
)
_LADDER = frozenset(
    {
        *(
            150,
            160,
            200,
            240,
            250,
            300,
            320,
            360,
            375,
            400,
            414,
            420,
            450,
            480,
            500,
            540,
            600,
            640,
            650,
            660,
            700,
            720,
            750,
            760,
        ),
        *(
            768,
            780,
            800,
            828,
            840,
            850,
            900,
            960,
            970,
            1000,
            1024,
            1080,
            1100,
            1170,
            1200,
            1242,
            1280,
            1300,
            1366,
            1400,
            1440,
        ),
        *(1500, 1536, 1600, 1680, 1800, 1920, 2000, 2048, 2200, 2400, 2560, 2880, 3000, 3200, 3840, 4096),
    }
)
"""Widths that sites use. A number that ends a name is rarely a width: only where every member has one of these, it counts."""
_YEARS = range(1500, 2101)


def grouped(sets: Iterable[ImageSet], carriers: frozenset[str] | None = None) -> tuple[ImageSet, ...]:
    """Put sets of one URL each, without any descriptor, together where naming says that they are one picture.

    The set stands where its first member stood, and is ``inferred``; its sources are those of the members, in order.
    ``carriers`` limits it to sets of these carriers. Everything else stays as it is. Linear in the number of sets.
    """
    rows = list(sets)
    members: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        url = _lone_url(row, carriers)
        if url is not None:
            members.setdefault(stem(url), []).append(index)
    groups = [group for group in members.values() if len({rows[index].candidates[0].url for index in group}) > 1]
    taken = {index for group in groups for index in group}
    groups += _numbered(rows, [index for group in members.values() for index in group if index not in taken])
    joined = {group[0]: _joined([rows[index] for index in group]) for group in groups}
    gone = {index for group in groups for index in group[1:]}
    return tuple(joined.get(index, row) for index, row in enumerate(rows) if index not in gone)


def _lone_url(row: ImageSet, carriers: frozenset[str] | None) -> str | None:
    """The URL of a set that has one and promises nothing about it."""
    if carriers is not None and any(source.carrier not in carriers for source in row.sources):
        return None
    if any(source.candidates and source.candidates[0].width for source in row.sources):
        return None  # most sets, and quickly
    candidates = row.candidates
    urls = {candidate.url for candidate in candidates}
    if len(urls) != 1 or any(c.width or c.density or c.height for c in candidates):
        return None
    url = candidates[0].url
    return url if len(url) <= MAX_URL and HOLE not in url else None


def _numbered(rows: Sequence[ImageSet], indices: list[int]) -> list[list[int]]:
    """``name-480.webp``: bare numbers, where all of them are usual widths and not all may be years."""
    members: dict[str, list[tuple[int, int]]] = {}
    for index in sorted(indices):
        url = rows[index].candidates[0].url
        match = _NUMBERED.search(url)
        if match is not None and int(match[1]) in _LADDER:
            members.setdefault(url[: match.start()] + HOLE + url[match.end() :], []).append((int(match[1]), index))
    return [
        [index for _, index in group]
        for group in members.values()
        if len(group) > 1 and any(number not in _YEARS for number, _ in group)
    ]


def _joined(members: Sequence[ImageSet]) -> ImageSet:
    first = members[0]
    return replace(
        first,
        sources=tuple(source for row in members for source in row.sources),
        alt=next((row.alt for row in members if row.alt), None),
        context=next((row.context for row in members if row.context), None),
        inferred=True,
        problems=tuple(problem for row in members for problem in row.problems),
        places=tuple(place for row in members for place in row.places),
    )
