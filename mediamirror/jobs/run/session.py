"""One run of any job: what it opens, in one order, and how it ends.

    scratch folder -> fetcher -> connections -> stores -> locks -> checks -> leftovers -> catalog -> begin -> manifest
    the job's own work
    finish -> summary

Whatever ends a run, what it opened is closed and the catalog says how it ended. One that is interrupted tells its summary before the
interruption goes on, unless it was still being opened: then it has done nothing. What only a run with a DEST or a catalog needs is
imported where it is opened: `parse` has neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from mediamirror.errors import MediamirrorError, UsageError
from mediamirror.fetch.late import LateFetcher
from mediamirror.first_use import dataclass, replace
from mediamirror.model import ObjectEvent
from mediamirror.scratch import scratch_folder
from mediamirror.settings import FetchOptions, StoreOptions, default_catalog
from mediamirror.store.base import Store

if TYPE_CHECKING:
    from mediamirror.catalog.catalog import Catalog
    from mediamirror.catalog.ingest import Run
    from mediamirror.wire import Carrier, Transport

_FOR_EVER = datetime.max.replace(tzinfo=UTC)
INTERRUPTED = 130


class Ended(Protocol):
    """How a run ended: every job's summary."""

    @property
    def exit_code(self) -> int:
        """What the process ends with."""
        ...


E = TypeVar("E", bound=Ended)
T = TypeVar("T")


class Access(Enum):
    """What a run may change."""

    NOTHING = "nothing"
    PREVIEW = "nothing; it tells what it would change"
    RECORDS = "the catalog"
    STORE = "DEST and the catalog"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a run opens. A job without ``to`` has no DEST; one without ``fetch`` asks no origin."""

    command: str
    """What locks and the catalog call it; must hold no secret."""
    access: Access = Access.NOTHING
    to: str | Store | None = None
    """DEST, as people write it or as a store of the caller's own, which the caller closes."""
    store: StoreOptions = field(default_factory=StoreOptions)
    source: str | Store | None = None
    source_store: StoreOptions | None = None
    """How SRC is reached; None: the same way as DEST."""
    reads: bool = True
    """Whether DEST itself is used; else its name alone counts."""
    connections: int = 16
    """Most connections to buckets at once."""
    fetch: FetchOptions | None = None
    own_hosts: frozenset[str] = frozenset()
    transport: Transport | None = None
    """What carries the requests to origins instead of the network."""
    makes: bool = False
    """Whether DEST is made where it is missing, and swept of what dead runs left half-written."""
    catalog: Path | None = None
    """The catalog's file; None: the one that belongs to DEST, or one for this run alone where DEST has no name to others."""
    keeps: bool = True
    """Whether there is a catalog; else the job opens one of its own, if any."""
    existing: bool = False
    """Whether the catalog must be there, or with ``adopts`` a manifest that it can be made from."""
    begins: bool = False
    """Whether the catalog records the run."""
    adopts: bool = False
    """Whether the manifest is taken into a catalog that knows nothing of the place."""


class Session(Generic[E]):
    """A run under way. What the job did not ask for (see `Needs`) is not there."""

    scratch: Path
    fetcher: LateFetcher
    store: Store
    identity: str
    source: Store
    source_identity: str
    path: Path
    """The catalog's file, whether it is there or not."""
    catalog: Catalog
    run: Run
    store_id: int
    source_id: int
    summary: E
    """There when the run has ended."""

    def __init__(self, needs: Needs, stack: AsyncExitStack) -> None:
        self._needs = needs
        self._begun: Run | None = None
        self._opened = False
        self.stack = stack
        """Closed when the run ends: for what a job opens besides."""

    async def open(self) -> None:
        """Open everything. Raises `MediamirrorError` for what the user has to change."""
        needs, enter = self._needs, self.stack.enter_async_context
        self.scratch = self.stack.enter_context(scratch_folder())
        if needs.fetch is not None:
            self.fetcher = await enter(
                LateFetcher(needs.fetch, spool_dir=self.scratch, own_hosts=needs.own_hosts, transport=needs.transport)
            )
        if needs.to is not None:
            await self._open_places(needs.to)
            if needs.keeps:
                await self._open_catalog()
        self._opened = True

    async def _open_places(self, to: str | Store) -> None:
        from mediamirror.fetch.late import open_transport_to
        from mediamirror.jobs.run.destination import hold_places, refuse_overlap, source_options
        from mediamirror.store.preview import Preview

        needs, enter = self._needs, self.stack.enter_async_context
        fetch = needs.fetch or FetchOptions()
        transport = await enter(
            open_transport_to(
                [place for place in (to, needs.source) if isinstance(place, str)],
                needs.store.cacert or fetch.cacert,
                limit=needs.connections,
                connect_to=fetch.connect_to,
                proxy=fetch.proxy,
            )
        )
        if needs.source is not None:
            how = needs.source_store or source_options(needs.store)
            self.source, self.source_identity = await self._place(needs.source, how, transport)
        self.store, self.identity = await self._place(to, needs.store, transport)
        known = isinstance(to, str) or self.store.local_root is not None
        self.path = needs.catalog or (default_catalog(self.identity) if known else self.scratch / "catalog.sqlite")
        if needs.source is not None and isinstance(to, str) and isinstance(needs.source, str):
            refuse_overlap((self.source, how), (self.store, needs.store))
        if needs.source is not None and self.source is self.store:
            raise UsageError(f"SRC and DEST are the same place, {self.store.name}. Give two places.")
        if needs.access is Access.PREVIEW:
            self.store = Preview(self.store)
        if needs.access is not Access.NOTHING:
            # Nobody else can come to a place that only the caller knows.
            preview = needs.access is Access.PREVIEW or not known
            hold_places(
                self.stack,
                to=place_name(to),
                identity=self.identity,
                catalog=self.path,
                command=needs.command,
                dry_run=preview,
            )
        if needs.reads:
            await self._check(place_name(to))

    async def _place(self, place: str | Store, how: StoreOptions, transport: Carrier | None) -> tuple[Store, str]:
        """A place as a store, and what it is called in catalogs."""
        from mediamirror.jobs.run.destination import identity_of
        from mediamirror.store.open import open_store

        if not isinstance(place, str):
            return place, place.name if place.local_root is None else identity_of(place.name, None)
        store = await self.stack.enter_async_context(open_store(place, how, transport=transport))
        return store, identity_of(store.name, how.endpoint_url)

    async def _check(self, to: str) -> None:
        from mediamirror.jobs.run.destination import check_readable, hold_store

        needs = self._needs
        if needs.source is not None:
            await check_readable(self.source, "SRC")
        if needs.makes:
            await self.store.check(create=True)
        elif needs.access is Access.NOTHING:
            await check_readable(self.store, "DEST")
        else:
            await self.store.check()
        if needs.access is Access.STORE:
            # The lock on the directory also turns away a run of another user, or one with another state folder.
            hold_store(self.stack, self.store, to=to)
            if needs.makes and self.store.local_root is not None:
                # Whatever lies there is a dead run's, even where a clock that was set back says it is of tomorrow.
                await self.store.sweep(before=_FOR_EVER)

    async def _open_catalog(self) -> None:
        from mediamirror.catalog.catalog import Catalog
        from mediamirror.catalog.ingest import begin_run

        needs = self._needs
        reads, previews = needs.access is Access.NOTHING, needs.access is Access.PREVIEW
        existing = needs.existing and not (needs.adopts and await self._tells_itself())
        if reads and (existing or self.path.exists()) and await self._reads_alone():
            return
        if existing:
            opened = await Catalog.open_existing(self.path, dry_run=previews)
        else:
            if not self.path.exists():
                self.stack.push(self._take_back)
            opened = await Catalog.open(self.path, dry_run=reads or previews)
        self.catalog = await self.stack.enter_async_context(opened)
        if needs.begins:
            self.run = await self.catalog.write(begin_run, needs.command, self.identity, _time())
            self._begun = self.run
        if not needs.adopts:
            return
        from mediamirror.jobs.run.manifest import take_in

        self.store_id = await take_in(self.catalog, self.store, self.identity)
        if needs.source is not None:
            self.source_id = await take_in(self.catalog, self.source, self.source_identity)

    def _take_back(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Remove a catalog that a run made and was then refused, or never got to its first item.

        An empty one would be believed before the place's own manifest.
        """
        del kind, trace
        refused = isinstance(error, UsageError) or (error is not None and not self._opened)
        for ending in ("", "-wal", "-shm") if refused else ():
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)

    async def _tells_itself(self) -> bool:
        """Whether a place has no catalog and carries a manifest: it was moved or copied, or comes from another machine."""
        from mediamirror.jobs.run.manifest import has_manifest

        return not self.path.exists() and await has_manifest(self.store)

    async def _reads_alone(self) -> bool:
        """Open the catalog for reading, so that others may write meanwhile; False where a manifest has to be taken in first."""
        from mediamirror.catalog.catalog import Catalog
        from mediamirror.catalog.ingest import find_store
        from mediamirror.catalog.stored_sets import is_new_here
        from mediamirror.jobs.run.manifest import has_manifest

        self.catalog = await Catalog.open_existing(self.path, read_only=True)
        if self._needs.adopts:
            sides = [(self.store, self.identity)]
            sides += [(self.source, self.source_identity)] if self._needs.source is not None else []
            ids = []
            for store, identity in sides:
                found = await self.catalog.read(find_store, identity)
                ids.append(found or 0)  # of a place that it does not know it tells nothing
                if await self.catalog.read(is_new_here, ids[-1]) and await has_manifest(store):
                    await self.catalog.__aexit__()
                    return False
            self.store_id, self.source_id = ids[0], ids[-1]
        await self.stack.enter_async_context(self.catalog)
        return True

    async def finish(self, code: int) -> None:
        """Record how the run ended."""
        if self._begun is not None:
            from mediamirror.catalog.ingest import finish_run

            await self.catalog.write(finish_run, self._begun, _time(), code)


@asynccontextmanager
async def open_run(
    needs: Needs, *, conclude: Callable[[bool], E], emit: Callable[[E], None]
) -> AsyncIterator[Session[E]]:
    """Open a run, and end it whatever happens. Raises `UsageError`, `CatalogError` and `StoreError` before the first item.

    ``conclude`` makes the summary, of an interrupted run when it is given True; ``emit`` is told of it. One that is interrupted as
    its end is recorded is concluded a second time.
    """
    async with AsyncExitStack() as stack:
        session: Session[E] = Session(needs, stack)
        opened = False
        try:
            await session.open()
            opened = True
            yield session
            await asyncio.sleep(0)  # here an interruption arrives that came when the last thing was told
            session.summary = conclude(False)
            await session.finish(session.summary.exit_code)
        except asyncio.CancelledError:
            try:
                await session.finish(INTERRUPTED)
            finally:
                if opened:
                    emit(conclude(True))
            raise
        except BaseException as error:
            await session.finish(error.exit_code if isinstance(error, MediamirrorError) else 1)
            raise
        emit(session.summary)


def place_name(place: str | Store) -> str:
    """What people call a place."""
    return place if isinstance(place, str) else place.name


def previewed(emit: Callable[[T], None]) -> Callable[[T], None]:
    """Return ``emit`` for a dry run: of each thing done to an object it says that it only would be done."""

    def tell(event: T) -> None:
        if isinstance(event, ObjectEvent) and event.error is None and not event.dry_run:
            event = replace(event, dry_run=True)
        emit(event)

    return tell


def _time() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
