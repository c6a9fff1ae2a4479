"""The catalog: one SQLite file, one connection, one thread that uses it, and async calls for everybody else."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from mediamirror.catalog import ingest, manifest_rows, results, scrub_rows, sync_rows, work
from mediamirror.catalog import stored_sets as mirrored
from mediamirror.catalog.connection import connect, connect_existing, mapped_errors
from mediamirror.catalog.ingest import DocumentRow
from mediamirror.catalog.manifest_rows import ManifestObject
from mediamirror.catalog.notes import get_notes, put_notes
from mediamirror.catalog.rows import WorkItem
from mediamirror.catalog.scrub_rows import Expected
from mediamirror.catalog.stored_sets import MirroredSet, MirroredSource
from mediamirror.catalog.sync_rows import Holding
from mediamirror.model import ImageSet, Outcome, SetResult, StoredObject

P = ParamSpec("P")
T = TypeVar("T")

PAGE = 256
HOLDINGS_PAGE = 4096
KEEP_RUNS = 20
"""Work lists of older runs are dropped; what they fetched and stored stays."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run under way: its id, and the id of the store it writes to."""

    id: int
    store_id: int


@dataclass(frozen=True, slots=True)
class Record:
    """One outcome on its way into the catalog, with the object that the store confirmed for it."""

    variant_id: int
    outcome: Outcome
    stored: StoredObject | None


class Catalog:
    """What came from where, when, with which headers, what its pixels are, and where it lies now.

    Opened with `Catalog.open`; use it as an async context manager. With ``dry_run`` everything happens in one
    transaction that is rolled back on exit, and a file that does not exist is not made. Errors are `CatalogError`.
    """

    def __init__(self, db: sqlite3.Connection, thread: ThreadPoolExecutor, name: str, *, dry_run: bool) -> None:
        self._db = db
        self._thread = thread
        self._name = name
        self._dry_run = dry_run

    @classmethod
    async def open(cls, path: Path | None, *, dry_run: bool = False) -> Self:
        """Open or create the file; None keeps everything in memory."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="catalog")
        try:
            db = await asyncio.get_running_loop().run_in_executor(thread, _connect, path, dry_run)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        catalog = cls(db, thread, str(path) if path else ":memory:", dry_run=dry_run)
        if dry_run:
            await catalog._call(_execute, "BEGIN")
        return catalog

    @classmethod
    async def open_existing(cls, path: Path, *, read_only: bool = False, dry_run: bool = False) -> Self:
        """Open a catalog that must be there. ``read_only`` sees one state of it from beginning to end, and may run beside a job."""
        dry_run = dry_run or read_only
        thread = ThreadPoolExecutor(1, thread_name_prefix="catalog")
        try:
            connect_it = partial(connect_existing, path, read_only=read_only)
            db = await asyncio.get_running_loop().run_in_executor(thread, connect_it)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        catalog = cls(db, thread, str(path), dry_run=dry_run)
        if dry_run:
            await catalog._call(_execute, "BEGIN")
        return catalog

    async def read(
        self, query: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Ask a question of another module of this package: ``query`` is called on the catalog's thread."""
        return await self._call(query, *args, **kwargs)

    async def write(
        self, action: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Let a function of another module of this package write, in one transaction."""
        return await self._transact(action, *args, **kwargs)

    async def __aenter__(self) -> Self:
        """Return the open catalog."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Roll a dry run back, close the connection, end the thread."""
        try:
            if self._dry_run:
                await self._call(_execute, "ROLLBACK")
            await self._call(sqlite3.Connection.close)
        finally:
            self._thread.shutdown(wait=True)

    async def _call(
        self, action: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def job() -> T:
            with mapped_errors(self._name):
                return action(self._db, *args, **kwargs)

        # Shielded: a cancelled caller must not leave a transaction half done on the thread.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, job))

    async def _transact(
        self, action: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._dry_run:
            return await self._call(action, *args, **kwargs)
        return await self._call(_in_transaction, lambda db: action(db, *args, **kwargs))

    async def begin_run(self, command: str, store_name: str, started_at: str) -> Run:
        """Record that a run starts. ``command`` must hold no secret."""
        return await self._transact(_begin_run, command, store_name, started_at)

    async def finish_run(self, run: Run, finished_at: str, exit_code: int) -> None:
        """Record how a run ended."""
        await self._transact(
            _execute, "UPDATE runs SET finished_at = ?, exit_code = ? WHERE id = ?", (finished_at, exit_code, run.id)
        )

    async def follows_a_clean_end(self, run: Run) -> bool:
        """Whether the run before this one came to its end, and nothing of it failed; so too when there was none."""
        return await self._call(_follows_a_clean_end, run.id)

    async def add_document(self, row: DocumentRow) -> int:
        """Add a document, or renew it: what an earlier run found in it is dropped. Returns its id."""
        return await self._transact(ingest.put_document, row)

    async def add_sets(self, run: Run, document_id: int, sets: Sequence[tuple[ImageSet, frozenset[str]]]) -> None:
        """Add sets of a document, each with the URLs of it that are wanted."""
        await self._transact(_add_sets, run, document_id, sets)

    async def order_work(self, run: Run) -> tuple[int, int, int]:
        """End planning: order the queue. Returns the numbers of sets, of variants and of wanted variants."""
        await self._transact(ingest.order_work, run.id)
        return await self._call(_counts, run.id)

    async def work(self, run: Run, *, wanted: bool = True) -> AsyncIterator[WorkItem]:
        """Yield the run's variants in order, reading a page at a time."""
        after = 0
        while page := await self._call(work.read_page, run.id, run.store_id, wanted=wanted, after=after, limit=PAGE):
            for _, item in page:
                yield item
            after = page[-1][0]

    async def lanes(self, run: Run) -> AsyncIterator[tuple[str, int, int]]:
        """Yield the hosts (with their ports) of the wanted variants, each with the first and last of its places."""
        after = 0
        while page := await self._call(work.read_lanes, run.id, after=after, limit=PAGE):
            for lane in page:
                yield lane
            after = page[-1][1]

    async def lane(self, run: Run, after: int, last: int, limit: int) -> list[tuple[int, WorkItem]]:
        """Return up to ``limit`` wanted variants from the places after ``after`` up to ``last``, each with its place."""
        return await self._call(work.read_page, run.id, run.store_id, wanted=True, after=after, last=last, limit=limit)

    async def record(self, run: Run, records: Sequence[Record]) -> None:
        """Write outcomes in one transaction. The bytes they speak of are durable already."""
        await self._transact(_record, run, records)

    async def note_fetches(self, run: Run, records: Sequence[Record]) -> None:
        """Write down what was fetched before it is stored: after a kill between the two, its object can be told for ours."""
        await self._transact(_note_fetches, run, records)

    async def put_notes(self, notes: Sequence[tuple[str, bytes]]) -> None:
        """Keep a note for each URL until the catalog is closed."""
        await self._transact(put_notes, notes)

    async def get_notes(self, urls: Sequence[str]) -> dict[str, bytes]:
        """Return the notes of these URLs."""
        return await self._call(get_notes, urls)

    async def sets(self, run: Run, *, troubled: bool = False) -> AsyncIterator[SetResult]:
        """Yield the run's image sets with their outcomes; with ``troubled`` only those that have something to say."""
        after = 0
        while ids := await self._call(results.set_ids, run.id, troubled=troubled, after=after, limit=PAGE):
            for result in await self._call(results.read_sets, run.id, ids):
                yield result
            after = ids[-1]

    async def stores(self) -> list[str]:
        """Return the names of the stores that something is recorded of."""
        return await self._call(mirrored.store_names)

    async def mirrored(self, store_name: str) -> AsyncIterator[list[MirroredSet]]:
        """Yield the image sets of a store over all runs, a page at a time."""
        after = 0
        while ids := await self._call(mirrored.mirrored_ids, store_name, after=after, limit=PAGE):
            yield await self._call(mirrored.read_mirrored, store_name, ids)
            after = ids[-1]

    async def sources(self, store_name: str) -> AsyncIterator[MirroredSource]:
        """Yield where a store's objects came from, a page at a time."""
        after = ("", 0)
        while page := await self._call(mirrored.read_sources, store_name, after=after, limit=PAGE):
            for row in page:
                yield row
            after = (page[-1].key, page[-1].variant_id)

    async def count_mirrored(self, store_name: str) -> tuple[int, int]:
        """Return the numbers of image sets and of objects of a store over all runs."""
        return await self._call(mirrored.count_mirrored, store_name)

    async def store_id(self, name: str) -> int:
        """Return the id of a store by its name, known or new."""
        return await self._transact(sync_rows.store_id, name)

    async def holdings(self, store_id: int) -> AsyncIterator[list[Holding]]:
        """Yield what is known of a store's objects by the page, in the order of the keys' bytes."""
        after = ""
        while page := await self._call(sync_rows.read_holdings, store_id, after=after, limit=HOLDINGS_PAGE):
            yield page
            after = page[-1].key

    async def expected(self, store_id: int) -> AsyncIterator[Expected]:
        """Yield all that is recorded of a store's objects, key by key in the order of their bytes."""
        after = ""
        while page := await self._call(scrub_rows.read_expected, store_id, after=after, limit=PAGE):
            for row in page:
                yield row
            after = page[-1].key

    async def put_repaired(self, store_id: int, row: Holding) -> None:
        """Write down the state of an object whose recorded bytes were put back just now."""
        await self._transact(scrub_rows.put_repaired, store_id, row)

    async def remember(self, holdings: Mapping[int, Sequence[Holding]]) -> None:
        """Write down, by store id, what was just read or written, in one transaction."""
        await self._transact(_remember, holdings)

    async def forget(self, store_id: int, keys: Sequence[str]) -> None:
        """Drop what is known of objects that are about to be deleted. Durable on return: rows go before bytes."""
        if self._dry_run:  # rolled back in the end
            return await self._transact(sync_rows.drop_holdings, store_id, keys)
        # Everywhere else a power cut may cost the newest rows, which speak of bytes that are there; here they would come back.
        await self._call(_execute, "PRAGMA synchronous = FULL")
        try:
            await self._transact(sync_rows.drop_holdings, store_id, keys)
        finally:
            await self._call(_execute, "PRAGMA synchronous = NORMAL")

    async def manifest(self, store_id: int) -> AsyncIterator[ManifestObject]:
        """Yield the objects that the store's manifest does not tell of as they are now."""
        after = ""
        while page := await self._call(manifest_rows.read_new, store_id, after=after, limit=HOLDINGS_PAGE):
            for row in page:
                yield row
            after = page[-1].key

    async def manifest_gone(self, store_id: int) -> AsyncIterator[str]:
        """Yield the keys that the store's manifest tells of and that are no more."""
        after = ""
        while page := await self._call(manifest_rows.read_gone, store_id, after=after, limit=HOLDINGS_PAGE):
            for key in page:
                yield key
            after = page[-1]

    async def published_set(self, store_id: int, set_id: str) -> str | None:
        """Return the hash of what the manifest says of an image set, or None."""
        return await self._call(manifest_rows.published_set, store_id, set_id)

    async def publish(
        self,
        store_id: int,
        *,
        objects: Sequence[ManifestObject] = (),
        sets: Sequence[tuple[str, str]] = (),
        gone: Sequence[str] = (),
    ) -> None:
        """Write down what a segment of the manifest says, once it is durable."""
        await self._transact(manifest_rows.put_published, store_id, objects=objects, sets=sets, gone=gone)

    async def knows_manifest(self, store_id: int) -> bool:
        """Whether any row of a store's manifest was written or read from here."""
        return await self._call(manifest_rows.knows_manifest, store_id)

    async def is_new_here(self, store_id: int) -> bool:
        """Whether nothing at all is known of a store's objects."""
        return await self._call(manifest_rows.is_new_here, store_id)


def _connect(path: Path | None, dry_run: bool) -> sqlite3.Connection:
    return connect(None if dry_run and path is not None and not path.exists() else path)


def _execute(db: sqlite3.Connection, sql: str, values: tuple[Any, ...] = ()) -> None:
    db.execute(sql, values)


def _in_transaction(db: sqlite3.Connection, action: Callable[[sqlite3.Connection], T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = action(db)
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
    return result


def _begin_run(db: sqlite3.Connection, command: str, store_name: str, started_at: str) -> Run:
    cursor = db.execute("INSERT INTO runs (command, started_at) VALUES (?,?)", (command, started_at))
    db.execute("INSERT OR IGNORE INTO stores (name) VALUES (?)", (store_name,))
    store_id = db.execute("SELECT id FROM stores WHERE name = ?", (store_name,)).fetchone()[0]
    assert cursor.lastrowid is not None
    db.execute("DELETE FROM items WHERE run_id <= ?", (cursor.lastrowid - KEEP_RUNS,))
    return Run(cursor.lastrowid, store_id)


def _follows_a_clean_end(db: sqlite3.Connection, run_id: int) -> bool:
    row = db.execute("SELECT exit_code FROM runs WHERE id < ? ORDER BY id DESC LIMIT 1", (run_id,)).fetchone()
    return row is None or row[0] == 0


def _add_sets(
    db: sqlite3.Connection, run: Run, document_id: int, sets: Sequence[tuple[ImageSet, frozenset[str]]]
) -> None:
    for image_set, wanted in sets:
        ingest.put_set(db, run.id, document_id, image_set, wanted)


def _counts(db: sqlite3.Connection, run_id: int) -> tuple[int, int, int]:
    sets = db.execute("SELECT count(DISTINCT set_id) FROM places WHERE run_id = ?", (run_id,)).fetchone()[0]
    variants, wanted = db.execute(
        "SELECT count(*), coalesce(sum(wanted), 0) FROM items WHERE run_id = ?", (run_id,)
    ).fetchone()
    return sets, variants, wanted


def _remember(db: sqlite3.Connection, holdings: Mapping[int, Sequence[Holding]]) -> None:
    for place, rows in holdings.items():
        sync_rows.put_holdings(db, place, rows)


def _record(db: sqlite3.Connection, run: Run, records: Sequence[Record]) -> None:
    for record in records:
        results.put_outcome(db, run.id, run.store_id, record.variant_id, record.outcome, record.stored)


def _note_fetches(db: sqlite3.Connection, run: Run, records: Sequence[Record]) -> None:
    for record in records:
        results.put_fetched(db, run.id, record.variant_id, record.outcome)
