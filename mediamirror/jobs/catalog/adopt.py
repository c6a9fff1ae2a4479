"""``catalog rebuild`` and ``catalog import``: what lies in a store becomes rows of a catalog.

    listing ── beside ── the manifest ──> same size and change token: as it says ──> catalog
                                     └──> window: metadata, else bytes and header ─┘

Every object is told of as it lies there now: what the manifest says of one that is gone or changed counts for nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from mediamirror.catalog.adoption import begin_told, note_told, put_adopted, put_manifest_sets, told_in_vain, told_of
from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.holdings import read_holdings
from mediamirror.catalog.ingest import Run, begin_run, finish_run
from mediamirror.catalog.manifest import begin_manifest, manifest_rows_of, read_manifest
from mediamirror.errors import (
    CatalogDamaged,
    ObjectCorrupt,
    UsageError,
)
from mediamirror.fetch.endpoint import open_transport
from mediamirror.jobs.catalog.adopt_look import Done, Looker, Task, fitting
from mediamirror.jobs.catalog.catalogs import locate
from mediamirror.jobs.run.destination import hold_places, now
from mediamirror.jobs.run.manifest import adopt, load_manifest
from mediamirror.jobs.run.pipeline import pages, run_window
from mediamirror.jobs.sync.pairs import joined
from mediamirror.model import ItemError, MendEvent, MendSummary, ObjectEvent, Problem
from mediamirror.settings import AdoptOptions
from mediamirror.store.base import Entry, Store
from mediamirror.store.directory import DirectoryStore
from mediamirror.store.open import open_store

Listen = Callable[[MendEvent], None]


async def rebuild(
    dest: str, *, options: AdoptOptions | None = None, catalog: Path | None = None, on_event: Listen = lambda _: None
) -> MendSummary:
    """Make the catalog of a store anew from the store alone, and put it in the place of the old one, which is kept beside it.

    Raises `UsageError` (also for a catalog that is sound, without ``options.force``), `CatalogError`, `StoreError`.
    """
    options = options or AdoptOptions()
    where = locate(dest, catalog, options.store.endpoint_url)
    run = _Adoption(dest, options, on_event, "rebuild")
    with ExitStack() as stack:
        identity = where.identity or ""
        hold_places(stack, to=dest, identity=identity, catalog=where.path, command="catalog rebuild", dry_run=False)
        await _refuse_sound(where.path, options)
        fresh = where.path.with_name(where.path.name + ".rebuilding")
        _remove(fresh)
        try:
            await run.into(fresh, where.identity or "", ())
        except BaseException:
            _remove(fresh)
            raise
        aside = _put_in_place(fresh, where.path)
    if aside is not None:
        on_event(Problem("catalog-kept", f"The old catalog is kept as {aside}.", document=dest))
    return run.finish()


async def take_in(
    dest: str,
    *,
    list_: BinaryIO | None = None,
    options: AdoptOptions | None = None,
    catalog: Path | None = None,
    on_event: Listen = lambda _: None,
) -> MendSummary:
    """Take a store's objects into its catalog, which is made where there is none; what is known already is left as it is.

    ``list_`` is JSON Lines with ``url``, ``key`` and, where known, ``sha256``. Raises `UsageError`, `CatalogError`, `StoreError`.
    """
    options = options or AdoptOptions()
    where = locate(dest, catalog, options.store.endpoint_url)
    run = _Adoption(dest, options, on_event, "import")
    rows = _read_list(list_) if list_ is not None else ()
    with ExitStack() as stack:
        identity = where.identity or ""
        hold_places(stack, to=dest, identity=identity, catalog=where.path, command="catalog import", dry_run=False)
        await run.into(where.path, where.identity or "", rows)
    return run.finish()


async def _refuse_sound(path: Path, options: AdoptOptions) -> None:
    if not await asyncio.to_thread(path.exists):
        return
    try:
        async with await Catalog.open_existing(path, read_only=True):
            pass
    except CatalogDamaged:
        return
    if not options.force:
        raise UsageError(
            f"The catalog {path} is sound: nothing was changed. It holds more than a store can give back (what failed, when and how "
            "everything was fetched); to make it anew all the same, add --force."
        )


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _put_in_place(fresh: Path, path: Path) -> Path | None:
    """Move the old catalog aside, its log before itself, since a log beside another file would damage that."""
    aside = path.with_name(f"{path.name}.old-{now():%Y%m%dT%H%M%SZ}") if path.exists() else None
    for ending in ("-wal", "-shm", ""):
        old = path.with_name(path.name + ending)
        if aside is not None and old.exists():
            old.replace(aside.with_name(aside.name + ending))
        elif ending:
            old.unlink(missing_ok=True)
    fresh.replace(path)
    return aside


def _read_list(file: BinaryIO) -> Iterable[tuple[str, str, str | None]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            key, url, sha256 = row["key"], row["url"], row.get("sha256")
        except (ValueError, KeyError, TypeError, AttributeError):
            key = url = sha256 = None
        if not isinstance(key, str) or not isinstance(url, str) or not isinstance(sha256, str | None):
            raise UsageError(
                f'Line {number} of the list is not of the form {{"url": "https://…", "key": "…"}} (sha256 may follow): nothing was '
                "recorded."
            )
        yield key, url, sha256.lower() if sha256 else None


class _Adoption:
    def __init__(self, dest: str, options: AdoptOptions, emit: Listen, command: str) -> None:
        self._dest = dest
        self._options = options
        self._emit = emit
        self._command = command
        self._counts: Counter[str] = Counter()
        self._bytes = 0
        self._failed = False
        self._started = time.monotonic()

    def finish(self) -> MendSummary:
        """Tell how it ended."""
        counts = dict(sorted(self._counts.items()))
        seconds = time.monotonic() - self._started
        summary = MendSummary(self._command, self._dest, counts, self._bytes, seconds, False, int(self._failed))
        self._emit(summary)
        return summary

    async def into(self, path: Path, identity: str, told: Iterable[tuple[str, str, str | None]]) -> None:
        """Take everything in."""
        async with AsyncExitStack() as stack:
            options = self._options.store
            transport = await stack.enter_async_context(open_transport(options.cacert, limit=32))
            store = await stack.enter_async_context(open_store(self._dest, options, transport=transport))
            await store.check()
            catalog = await stack.enter_async_context(await Catalog.open(path))
            run = await catalog.write(
                begin_run, f"catalog {self._command}", identity, now().isoformat(timespec="seconds")
            )
            await catalog.write(begin_told)
            async for page in pages(_each(told)):
                await catalog.write(note_told, page)
            readable = await self._load(catalog, store)

            async def record(done: Sequence[Done]) -> None:
                await catalog.write(put_adopted, run.store_id, run.id, [d.adopted for d in done if d.adopted])
                for one in done:
                    self._tell(one)

            await run_window(
                self._tasks(catalog, store, run),
                Looker(store, self._options.base_url, rebuild=self._command == "rebuild").look,
                record,
                width=self._options.concurrency,
            )
            await self._in_vain(catalog)
            if self._command == "rebuild":
                async for sets in pages(_sets(catalog)):
                    await catalog.write(put_manifest_sets, run.store_id, run.id, sets)
                    self._counts["sets recorded"] += len(sets)
            if readable and not isinstance(store, DirectoryStore):
                await adopt(catalog, store, run.store_id, holdings=False)
            await catalog.write(finish_run, run, now().isoformat(timespec="seconds"), int(self._failed))

    async def _load(self, catalog: Catalog, store: Store) -> bool:
        """Read the manifest, if the store has one. Of a damaged one nothing is believed: the objects are looked at instead."""
        await catalog.write(begin_manifest)
        if isinstance(store, DirectoryStore):
            return True
        try:
            await load_manifest(catalog, store)
        except ObjectCorrupt as error:
            self._failed = True
            await catalog.write(begin_manifest)
            message = f"{error.message} The objects were looked at one by one instead; the image sets are not known."
            self._emit(Problem(error.code, message, document=self._dest))
            return False
        return True

    async def _tasks(self, catalog: Catalog, store: Store, run: Run) -> AsyncIterator[Task]:
        async for page in joined(pages(_entries(store)), catalog.pages(read_holdings, run.store_id)):
            keys = [each.key for each in page]
            said = await catalog.write(told_of, keys)
            manifest = await catalog.read(manifest_rows_of, keys)
            for each in page:
                key = each.key
                if each.sha256 is not None and key not in said:
                    self._counts["known already"] += 1
                    continue
                yield Task(each.row, fitting(manifest.get(key), each.row), said.get(key, []))

    async def _in_vain(self, catalog: Catalog) -> None:
        async for key in catalog.rows(told_in_vain):
            error = ItemError("object-missing", f"The list names it, and {self._dest} does not hold it.")
            self._tell(Done(ObjectEvent("record", key, "failed", error=error)))

    def _tell(self, done: Done) -> None:
        failed = done.event.error is not None
        self._failed = self._failed or failed
        self._counts["failed" if failed else "objects recorded"] += 1
        self._bytes += done.event.size or 0
        self._emit(done.event)


async def _each(rows: Iterable[tuple[str, str, str | None]]) -> AsyncIterator[tuple[str, str, str | None]]:
    for row in rows:
        yield row


async def _sets(catalog: Catalog) -> AsyncIterator[dict[str, Any]]:
    async for row in catalog.rows(read_manifest):
        if row["type"] == "set":
            yield row


async def _entries(store: Store) -> AsyncIterator[Entry]:
    async for row in store.list():
        yield row.key, row.size, row.token, None
