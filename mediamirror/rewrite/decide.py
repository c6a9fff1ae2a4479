"""Which URLs of a document move, image set by image set.

| every URL of the set            | with its place   | then                                              |
|---------------------------------|------------------|---------------------------------------------------|
| has a new address, or is at it  | known            | those that have one move                          |
| some have none                  |                  | all stay, unless single URLs may move             |
| has a new address               | not known        | all stay: a script puts the URL together          |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from mediamirror.first_use import dataclass
from mediamirror.model import Candidate, ImageSet

NO_PLACE = "it is put together by a script, or its place in the file is not known"


class Target(NamedTuple):
    """Where a URL is to point. Without an address it stays, for a reason; ``settled``: it points there already."""

    address: str | None
    reason: str = ""
    settled: bool = False


UNKNOWN = Target(None, "it is not in the mirror")


class Move(NamedTuple):
    """A URL that moves: its place in bytes, what it was, as requested, and its new address."""

    start: int
    end: int
    url: str
    address: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An image set that keeps its addresses, or some of them: the line, how many URLs it has, and those to blame with the reason."""

    line: int
    urls: int
    blamed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one document. ``moves`` are in order and do not overlap."""

    moves: tuple[Move, ...]
    kept: tuple[Kept, ...]
    sets: int = 0
    """Image sets of which something moves."""


def decide(
    sets: Iterable[ImageSet],
    targets: Mapping[str, Target],
    *,
    is_there: Callable[[Candidate], bool],
    single: bool = False,
) -> Decision:
    """Decide for every image set of a document. The sets are unmerged.

    ``is_there`` says whether what a candidate names stands where its span says. ``single`` lets URLs move whose set is not complete.
    """
    moves: list[Move] = []
    kept: list[Kept] = []
    moved = 0
    for image_set in sets:
        candidates = image_set.candidates
        found = [(c, targets.get(c.url, UNKNOWN)) for c in candidates]
        blamed = tuple(dict.fromkeys(_blamed(found, is_there)))
        if blamed:
            kept.append(Kept(image_set.line, len({c.url for c in candidates}), blamed))
        if not blamed or single:
            own = list(_moves(found, {url for url, _ in blamed}))
            moves += own
            moved += bool(own)
    return Decision(tuple(_apart(moves)), tuple(kept), moved)


def _blamed(
    found: Iterable[tuple[Candidate, Target]], is_there: Callable[[Candidate], bool]
) -> Iterator[tuple[str, str]]:
    for candidate, target in found:
        if target.address is None and not target.settled:
            yield candidate.url, target.reason
        elif not target.settled and target.address != candidate.url and not is_there(candidate):
            yield candidate.url, NO_PLACE


def _moves(found: Iterable[tuple[Candidate, Target]], blamed: set[str]) -> Iterator[Move]:
    for candidate, target in found:
        span = candidate.reference.span if candidate.reference is not None else None
        if target.address is None or target.settled or candidate.url in blamed or span is None:
            continue
        if target.address != candidate.url:
            yield Move(*span, candidate.url, target.address)


def _apart(moves: Iterable[Move]) -> list[Move]:
    """Each place once, in order. Of two that overlap the longer one stays: the other is a piece of it, read by another rule."""
    kept: list[Move] = []
    for move in sorted(set(moves), key=lambda each: (each.start, -each.end)):
        if not kept or move.start >= kept[-1].end:
            kept.append(move)
        elif move.end - move.start > kept[-1].end - kept[-1].start:
            kept[-1] = move
    return kept
