"""List both sides beside what is recorded of them, and sort every key into: settled, to be worked on, extra."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from mediamirror.catalog.catalog import Catalog
from mediamirror.jobs.sync_pairs import Held, Pair, joined, paired
from mediamirror.jobs.sync_places import Place
from mediamirror.jobs.sync_plan import Census, Copy, Extra, Look, Rules, Skip, decide, selected
from mediamirror.jobs.sync_transfer import Task
from mediamirror.jobs.worklist import WorkList
from mediamirror.model import StoredObject
from mediamirror.settings import CompareOptions


@dataclass(frozen=True, slots=True)
class Listed:
    """A place with its id in the catalog and the name it has there."""

    place: Place
    store_id: int
    identity: str
    missing: bool = False
    """A destination that is not there yet: it holds nothing."""


async def pairs(source: Listed, destination: Listed, catalog: Catalog, options: CompareOptions) -> AsyncIterator[Pair]:
    """Yield every selected key of either side, sorted. With ``checksum`` nothing recorded counts for the source."""
    left, right = _held(source, catalog, options), _held(destination, catalog, options)
    async for pair in paired(left, right):
        if options.checksum and pair.source is not None:
            yield replace(pair, source=Held(pair.source.row))
        else:
            yield pair


async def _held(side: Listed, catalog: Catalog, options: CompareOptions) -> AsyncIterator[Held]:
    if side.missing:
        return
    rows = _chosen(side.place.list(), options)
    async for held in joined(rows, catalog.holdings(side.store_id)):
        yield held


async def _chosen(rows: AsyncIterator[StoredObject], options: CompareOptions) -> AsyncIterator[StoredObject]:
    async for row in rows:
        if selected(row.key, options):
            yield row


class Sorter:
    """Decides about pair after pair; keeps what needs work and what is extra, counts, and tells of each skip."""

    def __init__(
        self, source: Listed, destination: Listed, rules: Rules, on_skip: Callable[[Pair, Skip], None]
    ) -> None:
        self._source = source
        self._destination = destination
        self._rules = rules
        self._on_skip = on_skip
        self.work: WorkList[Task] = WorkList()
        self.extra: WorkList[str] = WorkList()
        self.bytes = 0
        self.sources = 0
        self.destinations = 0

    def add(self, pair: Pair) -> None:
        """Sort one key."""
        one, other = pair.source, pair.destination
        self.sources += one is not None
        self.destinations += other is not None
        decision = decide(
            one.side(self._source.identity) if one else None,
            other.side(self._destination.identity) if other else None,
            self._rules,
        )
        match decision:
            case Skip():
                self._on_skip(pair, decision)
            case Extra():
                self.extra.append(pair.key)
            case Copy() | Look():
                self.work.append(Task(pair, decision))
                self.bytes += one.row.size if one else 0

    @property
    def census(self) -> Census:
        """What was counted."""
        return Census(self.sources, self.destinations, len(self.extra))
