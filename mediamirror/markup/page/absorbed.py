"""Sets that only repeat what another set of the page holds: they become its places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mediamirror.model import ImageSet, Reference

_REPEATING = frozenset({"json", "lazy"})
"""Carriers that often name again what an element shows: a page's state, the data of a gallery."""


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
