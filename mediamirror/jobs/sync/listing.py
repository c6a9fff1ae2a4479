"""List both sides beside what is recorded of them, and sort every key into: settled, to be worked on, extra."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.sync_rows import Holding
from mediamirror.jobs.run.pipeline import both
from mediamirror.jobs.run.worklist import WorkList
from mediamirror.jobs.sync.folding import Folding
from mediamirror.jobs.sync.lent import LentCatalog
from mediamirror.jobs.sync.pairs import Pair, joined, paired
from mediamirror.jobs.sync.places import Place
from mediamirror.jobs.sync.plan import Census, Copy, Extra, Look, Rules, Skip, decide, selected
from mediamirror.jobs.sync.transfer import Task
from mediamirror.settings import CompareOptions
from mediamirror.store.base import Entry
from mediamirror.store.ordering import Listing


@dataclass(frozen=True, slots=True)
class Listed:
    """A place with its id in the catalog and the name it has there."""

    place: Place
    store_id: int
    identity: str
    missing: bool = False
    """A destination that is not there yet: it holds nothing."""


async def pairs(
    source: Listed, destination: Listed, catalog: Catalog, lent: LentCatalog, options: CompareOptions
) -> AsyncIterator[list[Pair]]:
    """List both sides at once and to their ends, then yield every selected key of either, sorted, by the page.

    What ``catalog`` does not know, ``lent`` may. With ``checksum`` nothing recorded counts for the source.
    """
    with ExitStack() as stack:
        left, right = stack.enter_context(Listing()), stack.enter_context(Listing())
        await both(left.fill(_chosen(source, options)), right.fill(_chosen(destination, options)))
        other = joined(right.pages(), catalog.holdings(destination.store_id))
        other = lent.filled(other, destination.identity)
        if options.checksum:
            one = joined(left.pages(), _nothing())
        else:
            one = joined(left.pages(), catalog.holdings(source.store_id))
            one = lent.filled(one, source.identity)
        async for page in paired(one, other):
            yield page


async def _nothing() -> AsyncIterator[list[Holding]]:
    nothing: tuple[list[Holding], ...] = ()
    for page in nothing:
        yield page


async def _chosen(side: Listed, options: CompareOptions) -> AsyncIterator[list[Entry]]:
    if side.missing:
        return
    chooses = bool(options.include or options.exclude)
    async for page in side.place.pages():
        yield [entry for entry in page if selected(entry[0], options)] if chooses else page


class Sorter:
    """Decides about pair after pair; keeps what needs work and what is extra, counts, and tells of each skip."""

    def __init__(
        self,
        source: Listed,
        destination: Listed,
        rules: Rules,
        on_skip: Callable[[Pair, Skip], None],
        *,
        folding: Folding | None = None,
        on_clash: Callable[[Pair], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._destination = destination
        self._rules = rules
        self._on_skip = on_skip
        self._folding = folding
        self._on_clash = on_clash
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
        if one is not None and self._folding is not None and not self._folding.takes(pair.key):
            self._on_clash(pair)
            return
        # Most pairs are settled by what is recorded; only a copy that the server made asks for names of states.
        place = self._source.identity if other and other.twin else ""
        decision = decide(one.side(place) if one else None, other.side("") if other else None, self._rules)
        match decision:
            case Skip():
                self._on_skip(pair, decision)
            case Extra():
                self.extra.append(pair.key)
            case Copy() | Look():
                self.work.append(Task(pair, decision))
                self.bytes += one.size if one else 0

    @property
    def census(self) -> Census:
        """What was counted."""
        return Census(self.sources, self.destinations, len(self.extra))
