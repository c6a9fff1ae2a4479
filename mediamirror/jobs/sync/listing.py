"""List both sides beside what is recorded of them, and sort every key into: settled, to be worked on, extra."""

from __future__ import annotations

import time
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import find_store
from mediamirror.catalog.stored_sets import read_holdings
from mediamirror.errors import CatalogError
from mediamirror.first_use import dataclass
from mediamirror.jobs.run.pipeline import WorkList, as_they_come, both
from mediamirror.jobs.run.session import INTERRUPTED, Needs, Session, place_name
from mediamirror.jobs.sync.local import Notice
from mediamirror.jobs.sync.places import Place, place_of
from mediamirror.jobs.sync.plan import (
    Census,
    CompareHashes,
    Copy,
    Extra,
    Pair,
    Rules,
    Skip,
    decide,
    joined,
    joined_page,
    paired,
    selected,
)
from mediamirror.jobs.sync.transfer import Task
from mediamirror.model import Held, Problem, SyncEvent, SyncSummary
from mediamirror.settings import CompareOptions, SyncOptions, default_catalog
from mediamirror.store.base import Entry, Store
from mediamirror.store.ordering import Listing


class Folding:
    """The keys of a source, each as small as can be: 8 bytes of a hash. A million take about 70 MB, on such file systems alone."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def takes(self, key: str) -> bool:
        """Note a key; False when another one with the same name there was noted before."""
        before = len(self._seen)
        self._seen.add(_name(key))
        return len(self._seen) > before

    def has(self, key: str) -> bool:
        """Whether a key with the same name there was noted."""
        return _name(key) in self._seen


def _name(key: str) -> int:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", key).casefold())
    return int.from_bytes(blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


_PAGE = 1_000
Listen = Callable[[SyncEvent], None]


class LentCatalog:
    """A second catalog, opened when something is not known, and only if there is one. Use as an async context manager.

    One that can't be used is told of once, and then nothing is known: that costs time and no object.
    """

    def __init__(self, path: Path, own: Path, tell: Callable[[Problem], None]) -> None:
        self._path = path
        self._there = path != own and path.exists()
        self._tell = tell
        self._catalog: Catalog | None = None

    async def filled(self, pages: AsyncIterator[list[Held]], identity: str) -> AsyncIterator[list[Held]]:
        """Yield the same pages, with what is recorded here of objects whose sha256 is missing. Sorted, as they are."""
        last = ""
        async for page in pages:
            if self._there and any(held.sha256 is None for held in page):
                yield await self._asked(page, identity, last)
            else:
                yield page
            last = page[-1].key if page else last

    async def known(self, identity: str) -> tuple[Catalog, int] | None:
        """The catalog and the id of a place in it; None where nothing is known of the place here."""
        if not self._there:
            return None
        try:
            catalog = await self._opened()
            place = await catalog.read(find_store, identity)
        except CatalogError as error:
            self._give_up(error)
            return None
        return None if place is None else (catalog, place)

    async def _opened(self) -> Catalog:
        if self._catalog is None:
            self._catalog = await Catalog.open_existing(self._path, read_only=True)
        return self._catalog

    def _give_up(self, error: CatalogError) -> None:
        self._there = False
        self._tell(Problem("catalog-not-used", f"The catalog of SRC is not used. {error.message}"))

    async def _asked(self, page: list[Held], identity: str, after: str) -> list[Held]:
        try:
            catalog = await self._opened()
            place = await catalog.read(find_store, identity)
            while place is not None and after < page[-1].key:
                rows, _ = await catalog.read(read_holdings, place, after=after, limit=_PAGE)
                if not rows:
                    break
                page, after = joined_page(page, rows), rows[-1].key
        except CatalogError as error:
            self._give_up(error)
        return page

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._catalog is not None:
            await self._catalog.__aexit__()


@dataclass(frozen=True, slots=True)
class Listed:
    """A place with its id in the catalog and the name it has there."""

    place: Place
    store_id: int
    identity: str


async def pairs(
    source: Listed, destination: Listed, catalog: Catalog, lent: LentCatalog, options: CompareOptions
) -> AsyncIterator[list[Pair]]:
    """List both sides at once and to their ends, then yield every selected key of either, sorted, by the page.

    What ``catalog`` does not know, ``lent`` may. With ``checksum`` nothing recorded counts for the source.
    """
    with ExitStack() as stack:
        left, right = stack.enter_context(Listing()), stack.enter_context(Listing())
        await both(left.fill(_chosen(source, options)), right.fill(_chosen(destination, options)))
        other = joined(right.pages(), catalog.pages(read_holdings, destination.store_id))
        other = lent.filled(other, destination.identity)
        if options.checksum:
            one = joined(left.pages(), as_they_come(()))
        else:
            one = joined(left.pages(), catalog.pages(read_holdings, source.store_id))
            one = lent.filled(one, source.identity)
        async for page in paired(one, other):
            yield page


async def _chosen(side: Listed, options: CompareOptions) -> AsyncIterator[list[Entry]]:
    chooses = bool(options.include or options.exclude)
    async for page in side.place.pages():
        yield [entry for entry in page if selected(entry[0], options)] if chooses else page


class Sorter:
    """Decides about pair after pair; keeps what needs work and what is extra, counts, and tells of each skip."""

    def __init__(
        self,
        source: Listed,
        rules: Rules,
        on_skip: Callable[[Pair, Skip], None],
        *,
        folding: Folding | None = None,
        on_clash: Callable[[Pair], None] = lambda _: None,
    ) -> None:
        self._source = source
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
        decision = decide(one, other, self._rules, self._source.identity)
        match decision:
            case Skip():
                self._on_skip(pair, decision)
            case Extra():
                self.extra.append(pair.key)
            case Copy() | CompareHashes():
                self.work.append(Task(pair, decision))
                self.bytes += one.size if one else 0

    @property
    def census(self) -> Census:
        """What was counted."""
        return Census(self.sources, self.destinations, len(self.extra))


class Between:
    """A run that reads two places, as sync and check do: what it needs, what it tells, and what it has counted."""

    def __init__(self, source: str | Store, destination: str | Store, options: SyncOptions, emit: Listen) -> None:
        self._places = (source, destination)
        self._names = (place_name(source), place_name(destination))
        self._options = options
        self._compare = options.compare
        self._emit = emit
        self._statuses: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._failed = False
        self._started = time.monotonic()

    def _needs(self, command: str, catalog: Path | None, **more: Any) -> Needs:
        return Needs(
            command=command,
            to=self._places[1],
            store=self._options.store,
            source=self._places[0],
            source_store=self._options.source,
            connections=self._options.concurrency + 16,
            catalog=catalog,
            adopts=True,
            **more,
        )

    async def _sides(
        self, session: Session[SyncSummary], in_memory: int, *notices: Notice
    ) -> tuple[LentCatalog, Listed, Listed]:
        """Open SRC, DEST, and the catalog of SRC's own. ``notices`` are told of what can't take part, in SRC and in DEST."""
        stores = (session.source, session.store)
        places = [
            place_of(store, spool=session.scratch, in_memory=in_memory, notice=notice)
            for store, notice in zip(stores, notices, strict=True)
        ]
        for place in places:
            session.stack.push_async_callback(place.aclose)
        left = Listed(places[0], session.source_id, session.source_identity)
        own = default_catalog(session.source_identity)
        lent = await session.stack.enter_async_context(LentCatalog(own, session.path, self._emit))
        return lent, left, Listed(places[1], session.store_id, session.identity)

    def _notice(self, path: str, reason: str, is_error: bool, *, document: str = "") -> None:
        """Tell of what can't be an object: nothing is left out in silence."""
        self._failed = self._failed or is_error
        self._left_out["left out"] += 1
        self._emit(Problem("left-out", f"{path} is left out: {reason}.", document=document))

    def _ended(self, interrupted: bool, *, failed: bool, **more: Any) -> SyncSummary:
        return SyncSummary(
            *self._names,
            statuses=dict(sorted((self._statuses + self._left_out).items())),
            seconds=time.monotonic() - self._started,
            exit_code=INTERRUPTED if interrupted else int(failed),
            **more,
        )
