"""``catalog gc``: what no row or no document names, rows that no object backs, superseded manifest segments, leftovers.

    listing (sorted) ── beside ── named keys (sorted) ──> counted and refused, or: rows go, then objects, then segments

Rows go before bytes, and nothing goes before both sides are read to their ends. A kill leaves what the next run takes away.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import find_store, forget_runs, free_bytes, shrink
from mediamirror.catalog.manifest import NamedKey, begin_manifest, read_known
from mediamirror.catalog.stored_sets import drop_holdings, is_new_here
from mediamirror.errors import CatalogError, ObjectCorrupt, StoreError, UsageError
from mediamirror.first_use import dataclass
from mediamirror.jobs.run.destination import now
from mediamirror.jobs.run.manifest import compact, load_manifest, write_segment
from mediamirror.jobs.run.pipeline import WorkList, beside, pages
from mediamirror.jobs.run.session import INTERRUPTED, Access, Needs, open_run, previewed
from mediamirror.model import ItemError, MendEvent, MendSummary, ObjectEvent, Problem, StoredObject
from mediamirror.settings import GcOptions
from mediamirror.store.base import Store

Listen = Callable[[MendEvent], None]

_UNNAMED, _UNREFERENCED = "no row names it", "no document names it any more"
"""Why an object may go."""

_LITTLE = 1 << 20
"""Unused bytes of a catalog that are not worth writing it anew."""


async def collect_garbage(
    dest: str, *, options: GcOptions | None = None, catalog: Path | None = None, on_event: Listen = lambda _: None
) -> MendSummary:
    """Drop rows without object, compact the manifest, sweep leftovers; with ``options.delete`` remove what no row names.

    With ``options.unreferenced`` that goes for what no document names any more, too.
    Raises `UsageError` (also when more would go than is allowed, before anything does), `CatalogError`, `StoreError`.
    """
    run = _Gc(dest, options or GcOptions(), on_event)
    return await run.run(catalog)


@dataclass(frozen=True, slots=True)
class Found:
    """What the comparison counted, for `refusal`."""

    listed: int
    own_rows: int
    unnamed: int
    unbacked: int
    unreferenced: int = 0


def refusal(found: Found, options: GcOptions) -> UsageError | None:
    """Say whether nothing must be changed.

    | no row's object is there | --delete | to go > --max-delete | to go = all objects | --force | refused                  |
    |--------------------------|----------|----------------------|---------------------|---------|--------------------------|
    | yes                      |          |                      |                     | no      | is this the right place? |
    | no                       | yes      | yes                  |                     |         | more than --max-delete   |
    | no                       | yes      | no                   | yes                 | no      | would empty it           |
    | otherwise                |          |                      |                     |         | no                       |

    What is to go is named by no row, or unreferenced.
    """
    if found.own_rows and found.unbacked == found.own_rows and not options.force:
        return UsageError(
            f"None of the {found.own_rows:,} objects that the catalog names is there: nothing was changed. Check that DEST is the "
            "right place and mounted; if the objects are really gone, add --force."
        )
    to_go = found.unnamed + found.unreferenced
    if not options.delete or not to_go:
        return None
    if options.max_delete is not None and to_go > options.max_delete:
        return UsageError(
            f"--delete would remove {to_go:,} objects and --max-delete allows {options.max_delete:,}: nothing was "
            "changed. Look at them with -n and without --max-delete, then raise it."
        )
    if to_go == found.listed and not options.force and found.unreferenced:
        return UsageError(
            f"--delete would remove all {found.listed:,} objects, since no document that the catalog knows names any of them: "
            "nothing was changed. Mirror the documents first; to delete them all, add --force."
        )
    if to_go == found.listed and not options.force:
        return UsageError(
            f"--delete would remove all {found.listed:,} objects, since the catalog names none of them: nothing was changed. "
            "Is it the right catalog? `mediamirror catalog import DEST` takes them in; to remove them all, add --force."
        )
    return None


class _Gc:
    def __init__(self, dest: str, options: GcOptions, emit: Listen) -> None:
        self._dest = dest
        self._options = options
        self._emit = previewed(emit) if options.dry_run else emit
        self._counts: Counter[str] = Counter()
        self._bytes = 0
        self._failed = False
        self._before = now() - timedelta(seconds=options.older_than)
        self._started = time.monotonic()
        self._may_delete = options.delete
        self._segments = 0

    async def run(self, catalog_path: Path | None) -> MendSummary:
        options = self._options
        needs = Needs(
            command="catalog gc",
            access=Access.PREVIEW if options.dry_run else Access.STORE,
            to=self._dest,
            store=options.store,
            connections=32,
            catalog=catalog_path,
            existing=True,
            adopts=True,
        )
        async with open_run(needs, conclude=self._summary, emit=self._emit) as session:
            place = await session.catalog.read(find_store, session.identity)
            if place is None or await session.catalog.read(is_new_here, place):
                raise UsageError(
                    f"The catalog {session.path} knows nothing of {self._dest}: nothing was changed. Make one from the store with "
                    "`mediamirror catalog rebuild DEST`, or take it in with `mediamirror catalog import DEST`."
                )
            await self._all(session.catalog, session.store, place)
        return session.summary

    def _summary(self, interrupted: bool) -> MendSummary:
        return MendSummary(
            "gc",
            self._dest,
            dict(sorted(self._counts.items())),
            self._bytes,
            time.monotonic() - self._started,
            self._options.dry_run,
            INTERRUPTED if interrupted else int(self._failed),
        )

    async def _all(self, catalog: Catalog, store: Store, place: int) -> None:
        await catalog.write(begin_manifest)
        has_manifest = await self._load(catalog, store)
        with ExitStack() as lists:
            unnamed = lists.enter_context(WorkList[StoredObject]())
            unreferenced = lists.enter_context(WorkList[StoredObject]())
            unbacked = lists.enter_context(WorkList[NamedKey]())
            absent = lists.enter_context(WorkList[str]())
            listed = own = own_unbacked = 0
            named = catalog.rows(read_known, place, read_since=self._read_since())
            async for row, known in beside(store.list(), named):
                listed += row is not None
                own += known is not None and known.own
                if known is None and row is not None:
                    self._keep_or_list(row, unnamed)
                elif row is not None and known is not None and not known.wanted:
                    self._keep_or_drop(row, unreferenced)
                elif row is None and known is not None and await store.head(known.key) is None:  # a listing may lag
                    unbacked.append(known)
                    own_unbacked += known.own
            found = Found(listed, own, len(unnamed), own_unbacked, len(unreferenced))
            refused = refusal(found, self._options)
            if refused is not None:
                raise refused
            await self._forget(catalog, place, unbacked, absent)
            if self._may_delete:
                await self._drop_rows(catalog, place, unreferenced, absent)
                await self._delete(store, unreferenced, _UNREFERENCED)
                await self._delete(store, unnamed, _UNNAMED)
            if has_manifest:
                await self._compact(catalog, store, place, absent)
        await self._sweep(store)
        await self._forget_history(catalog)

    async def _load(self, catalog: Catalog, store: Store) -> bool:
        """Read the manifest: what it names is named. A damaged one names nobody knows what, so that nothing may be deleted."""
        try:
            self._segments = len(await load_manifest(catalog, store))
        except ObjectCorrupt as error:
            self._failed, self._may_delete = True, False
            self._emit(Problem(error.code, f"{error.message} Until then no object is deleted.", document=self._dest))
            return False
        return True

    def _keep_or_list(self, row: StoredObject, unnamed: WorkList[StoredObject]) -> None:
        why = "--delete removes it"
        if row.modified is None and self._options.older_than:  # another machine may be writing it just now
            why = "its store tells no date that can be read, so it may be young; --older-than 0 takes it for old"
        elif row.modified is not None and row.modified > self._before:
            why = f"younger than {_span(self._options.older_than)}, see --older-than"
        elif self._may_delete:
            unnamed.append(row)
            return
        self._note("unnamed, kept", "keep", row.key, f"{_UNNAMED}; {why}", row.size)

    def _note(self, counted: str, op: str, key: str, reason: str, size: int | None = None, by: int = 1) -> None:
        """Count and tell what was done to an object, or not."""
        self._counts[counted] += by
        self._emit(ObjectEvent(op, key, reason, size))

    def _read_since(self) -> str | None:
        """Since when a document must have been read to count; None where it is not asked what documents name."""
        options = self._options
        if options.unread_for is not None:
            return (now() - timedelta(seconds=options.unread_for)).isoformat()
        return "" if options.unreferenced else None

    def _keep_or_drop(self, row: StoredObject, unreferenced: WorkList[StoredObject]) -> None:
        if self._may_delete:
            unreferenced.append(row)
        else:
            self._note("unreferenced, kept", "keep", row.key, f"{_UNREFERENCED}; --delete removes it", row.size)

    async def _drop_rows(
        self, catalog: Catalog, place: int, unreferenced: WorkList[StoredObject], absent: WorkList[str]
    ) -> None:
        """Rows go before bytes: what a kill leaves behind is an object that no row names, which the next run takes away."""
        async for page in pages(aiter(unreferenced)):
            await catalog.write_durably(drop_holdings, place, [row.key for row in page])
            for row in page:
                absent.append(row.key)

    async def _forget(self, catalog: Catalog, place: int, unbacked: WorkList[NamedKey], absent: WorkList[str]) -> None:
        async for page in pages(aiter(unbacked)):
            keys = [known.key for known in page if known.own]
            await catalog.write_durably(drop_holdings, place, keys)
            for known in page:
                absent.append(known.key)
                said = "the catalog names it" if known.own else "the manifest names it"
                self._note("rows forgotten", "forget", known.key, f"{said}, and it is not there")

    async def _forget_history(self, catalog: Catalog) -> None:
        """Drop what ``--keep-runs`` does not keep, and give the room of all that was dropped, ever, back to the disk."""
        keep = self._options.keep_runs
        if keep is not None:
            for name, count in (await catalog.write(forget_runs, keep)).items():
                if count:
                    self._counts[f"{name} forgotten"] += count
        free, whole = await catalog.read(free_bytes)
        if self._options.dry_run or free < max(_LITTLE, whole // 4):
            return
        try:
            await catalog.read(shrink)
        except CatalogError as error:  # there is no room to write it anew: it is as it was
            self._failed = True
            self._emit(Problem(error.code, error.message, document=self._dest))
            return
        self._counts["bytes given back"] += free

    async def _delete(self, store: Store, to_go: WorkList[StoredObject], why: str) -> None:
        async for row in to_go:
            try:
                seen = await store.head(row.key)
                if seen is None:
                    continue
                if (seen.size, seen.token) != (row.size, row.token):
                    self._note("unnamed, kept", "keep", row.key, "it changed meanwhile", seen.size)
                    continue
                await store.delete(row.key)
            except StoreError as error:
                self._failed = True
                self._counts["failed"] += 1
                self._emit(ObjectEvent("delete", row.key, "failed", error=ItemError(error.code, error.message)))
                continue
            self._bytes += row.size
            self._note("objects deleted", "delete", row.key, why, row.size)

    async def _compact(self, catalog: Catalog, store: Store, place: int, absent: WorkList[str]) -> None:
        if store.previews:
            if self._segments > 1:
                reason = f"{self._segments:,} segments become one"
                self._note("segments compacted", "compact", "the manifest", reason, by=self._segments)
            return
        problem = await write_segment(catalog, store, place, at=now())
        if problem is not None:
            self._failed = True
            self._emit(problem)
            return
        done = await compact(catalog, store, absent)
        if done is not None:
            self._note("segments compacted", "compact", done[0], f"{done[1]:,} segments became one", by=done[1])

    async def _sweep(self, store: Store) -> None:
        found = await store.leftovers(before=self._before)
        if found:
            await store.sweep(before=self._before)
        for name in found:
            self._note(
                "leftovers swept", "sweep", name, f"never finished, older than {_span(self._options.older_than)}"
            )


def _span(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size and seconds % size == 0 and (unit != "d" or seconds > 86_400):
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
