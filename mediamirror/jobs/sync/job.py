"""Make DEST hold what SRC holds.

    listing of SRC ┐
                   ├─ key by key ─> settled by size and sha256: skip
    listing of DEST┘             └> the rest, counted ─> window of workers: look closer, copy ─> catalog
                                                      ─> deletions, when everything else went well

Nothing is written before both sides are listed to their ends, so a refusal changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

from mediamirror.catalog.adoption import has_origins, put_carried, put_manifest_sets, read_told
from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import follows_a_clean_end
from mediamirror.catalog.stored_sets import drop_holdings, put_holdings, read_mirrored
from mediamirror.errors import UsageError
from mediamirror.jobs.run.destination import now
from mediamirror.jobs.run.manifest import has_manifest, set_rows, write_segment
from mediamirror.jobs.run.pipeline import as_they_come, pages, run_window
from mediamirror.jobs.run.session import Access, open_run, previewed
from mediamirror.jobs.sync.listing import Between, Folding, LentCatalog, Listed, Listen, Sorter, pairs
from mediamirror.jobs.sync.plan import Pair, Rules, Skip, refusal
from mediamirror.jobs.sync.transfer import MOST, Done, Route, SetAside, Transfer
from mediamirror.model import Held, ItemError, ObjectEvent, Problem, SyncSummary, Workload
from mediamirror.settings import SyncOptions
from mediamirror.store.base import Store


async def sync(
    source: str | Store,
    destination: str | Store,
    *,
    options: SyncOptions | None = None,
    catalog: Path | None = None,
    on_event: Listen | None = None,
) -> SyncSummary:
    """Make ``destination`` hold what ``source`` holds; each is a directory or ``s3://bucket/prefix``.

    Whether two objects are the same is told by their sha256: recorded in ``catalog`` (default: one per destination in the
    user's state folder) for the state that the listing shows, else from the object's metadata, else from its bytes.

    Returns the `SyncSummary`; ``on_event`` is called with each `SyncEvent`. Raises `UsageError` for what stops the run before
    anything is written, `CatalogError` when the catalog can't be used, `StoreError` when a side can't be listed. A failed
    object is an event with an ``error``. When cancelled, what is finished is recorded and the cancellation goes on.
    """
    run = _SyncRun(source, destination, options or SyncOptions(), on_event or (lambda _: None))
    return await run.run(catalog)


class _SyncRun(Between):
    """One run: its options, and its running totals."""

    def __init__(self, source: str | Store, destination: str | Store, options: SyncOptions, emit: Listen) -> None:
        super().__init__(source, destination, options, previewed(emit) if options.dry_run else emit)
        self._bytes_in = self._bytes_out = self._work = 0
        self._changed = False
        self._folding: Folding | None = None
        if self._compare.size_only and (self._compare.checksum or self._compare.attributes):
            raise UsageError("--size-only excludes --checksum and --attributes. Give one of them.")

    async def run(self, catalog_path: Path | None) -> SyncSummary:
        access = Access.PREVIEW if self._options.dry_run else Access.STORE
        needs = self._needs("sync", catalog_path, access=access, makes=True, begins=True)
        async with open_run(needs, conclude=self._summary, emit=self._emit) as session:
            notice = partial(self._notice, document=self._names[0])
            lent, left, right = await self._sides(session, self._options.limit_memory, notice, _nobody)
            source, store, op = session.source, session.store, _op(session.source, session.store)
            route = Route(left.place, source, left.identity, right.place, store, op, session.scratch)
            # What a run that was killed did, its manifest does not say.
            self._changed = not await session.catalog.read(follows_a_clean_end, session.run)
            await self._all(session.catalog, lent, route, left, right)
        return session.summary

    async def _all(self, catalog: Catalog, lent: LentCatalog, route: Route, left: Listed, right: Listed) -> None:
        options = self._options
        rules = Rules(options.compare.size_only, options.ignore_existing, options.compare.attributes)
        self._folding = Folding() if route.store.folds_case else None
        sorter = Sorter(left, rules, self._skip, folding=self._folding, on_clash=self._clash)
        with sorter.work, sorter.extra:
            async for page in pairs(left, right, catalog, lent, options.compare):
                for pair in page:
                    sorter.add(pair)
            if (refused := refusal(sorter.census, options)) is not None:
                raise refused
            if not sorter.sources:
                self._emit(Problem("no-objects", _nothing(options), document=self._names[0]))
            deletions = len(sorter.extra) if options.delete else 0
            known = self._statuses.total()  # skipped while listing
            self._work = known + len(sorter.work) + deletions
            self._emit(Workload(known + len(sorter.work), len(sorter.work), sorter.bytes, deletions))
            checksum, given = options.compare.checksum, options.store
            transfer = Transfer(route, rules=rules, checksum=checksum, given=given)
            await self._write(catalog, (left.store_id, right.store_id), transfer, sorter)
        if route.store.previews:
            return
        if self._changed or not await catalog.read(has_origins, right.store_id):
            self._changed |= await self._carry(catalog, lent, left, right)
        if self._changed and await _keeps_record(catalog, route, right):
            await self._tell_manifest(catalog, route.store, right)

    async def _carry(self, catalog: Catalog, lent: LentCatalog, left: Listed, right: Listed) -> bool:
        """Write down of DEST what is known of SRC's objects, where it holds the same bytes: where they came from, and their sets."""
        carried = 0
        known = await lent.known(left.identity)
        if known is not None:
            carried += await _carry_from(*known, catalog, right.store_id)
            async for page in pages(known[0].rows(read_mirrored, left.identity)):
                rows = await set_rows(known[0], [each.result for each in page])
                await catalog.write(put_manifest_sets, right.store_id, 0, rows)
        return carried + await _carry_from(catalog, left.store_id, catalog, right.store_id) > 0

    async def _write(self, catalog: Catalog, ids: tuple[int, int], transfer: Transfer, sorter: Sorter) -> None:
        """Copy, then delete; what is in the way of a copy is deleted first."""

        async def record(done: Sequence[Done]) -> None:
            await self._record(catalog, *ids, done)

        width, deletes = self._options.concurrency, self._options.delete and len(sorter.extra) > 0
        aside = SetAside(MOST if deletes else 0)
        await run_window(aiter(sorter.work), aside.around(transfer.handle), aside.before(record), width=width)
        if self._failed:
            await record(aside.failures)
        elif aside.tasks:
            await self._delete(catalog, ids[1], transfer, sorter, aside.is_in_the_way)
            await run_window(as_they_come(aside.tasks), transfer.handle, record, width=width)
        if deletes:
            await self._delete(catalog, ids[1], transfer, sorter, lambda key: not aside.is_in_the_way(key))

    async def _tell_manifest(self, catalog: Catalog, store: Store, place: Listed) -> None:
        sets = (each.result async for each in catalog.rows(read_mirrored, place.identity))
        problem = await write_segment(catalog, store, place.store_id, at=now(), sets=sets)
        if problem is not None:
            self._failed = True
            self._emit(problem)

    async def _delete(
        self, catalog: Catalog, store_id: int, transfer: Transfer, sorter: Sorter, which: Callable[[str], bool]
    ) -> None:
        """Remove what only the destination has: rows first, then bytes; not after a failure, which may be why it looks extra."""
        if self._failed:
            count = len(sorter.extra)
            what = (
                f"{count:,} objects that only the destination has were"
                if count > 1
                else "The one object that only the destination has was"
            )
            message = f"{what} kept, since something failed. Run again."
            self._emit(Problem("deletions-kept", message))
            return

        async def forgotten() -> AsyncIterator[str]:
            async for keys in pages(aiter(sorter.extra)):
                keys = [key for key in keys if which(key)]  # noqa: PLW2901
                # Where case is folded, an extra name may be that of an object which was just written.
                keys = [key for key in keys if self._folding is None or not self._folding.has(key)]  # noqa: PLW2901
                await catalog.write_durably(drop_holdings, store_id, keys)
                for key in keys:
                    yield key

        async def record(done: Sequence[Done]) -> None:
            self._tell(done)

        await run_window(forgotten(), transfer.delete, record, width=self._options.concurrency)

    async def _record(self, catalog: Catalog, source: int, destination: int, done: Sequence[Done]) -> None:
        rows: dict[int, list[Held]] = {
            source: [one.source for one in done if one.source is not None],
            destination: [one.destination for one in done if one.destination is not None],
        }
        await catalog.write(put_holdings, rows)
        self._tell(done)

    def _tell(self, done: Sequence[Done]) -> None:
        for one in done:
            self._statuses[one.status] += 1
            self._bytes_in += one.bytes_in
            self._bytes_out += one.bytes_out
            self._failed = self._failed or one.event.error is not None
            self._changed = self._changed or one.destination is not None or one.status == "deleted"
            self._emit(one.event)

    def _skip(self, pair: Pair, decision: Skip) -> None:
        self._statuses["skipped"] += 1
        size = pair.source.size if pair.source else None
        self._emit(ObjectEvent("skip", pair.key, decision.reason, size))

    def _clash(self, pair: Pair) -> None:
        """A key that is, in DEST, the name of another one of SRC: it would replace that."""
        message = f"{pair.key} has the same name as another object: the file system of DEST is case-insensitive."
        self._failed = True
        self._statuses["failed"] += 1
        self._emit(ObjectEvent("skip", pair.key, "failed", error=ItemError("bad-key", message)))

    def _summary(self, interrupted: bool) -> SyncSummary:
        left = max(0, self._work - self._statuses.total()) if interrupted else 0
        moved = {"bytes_in": self._bytes_in, "bytes_out": self._bytes_out}
        return self._ended(interrupted, failed=self._failed, left=left, dry_run=self._options.dry_run, **moved)


async def _carry_from(known: Catalog, place: int, catalog: Catalog, destination: int) -> int:
    carried = 0
    async for page in known.pages(read_told, place):
        carried += await catalog.write(put_carried, destination, page)
    return carried


async def _keeps_record(catalog: Catalog, route: Route, destination: Listed) -> bool:
    """Whether DEST carries a manifest: a bucket does, and a directory that is a mirror. A plain copy of files stays one."""
    if route.store.local_root is None or await catalog.read(has_origins, destination.store_id):
        return True
    return await has_manifest(route.store)


def _op(source: Store, destination: Store) -> str:
    if destination.local_root is None:
        return "upload"
    return "copy" if source.local_root is not None else "download"


def _nothing(options: SyncOptions) -> str:
    if options.compare.include or options.compare.exclude:
        return "No object of SRC is chosen by --include and --exclude."
    return "SRC holds no objects. Check its path or prefix."


def _nobody(path: str, reason: str, is_error: bool) -> None:
    """What can't be a key in DEST is not ours to tell of."""
