"""The catalog: one SQLite file, one connection, one thread that uses it, and async calls for everybody else.

What is asked of it are plain functions of the modules beside this one, which take the connection first: a query goes to
`Catalog.read`, or page by page to `Catalog.pages` and `Catalog.rows`; a command goes to `Catalog.write`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from mediamirror.catalog.connection import Page, connect, connect_existing, mapped_errors

P = ParamSpec("P")
T = TypeVar("T")


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
        """Open or create the file; None is one that goes with the connection, and takes little memory."""
        return await cls._open(partial(_connect, path, dry_run), str(path) if path else ":memory:", dry_run=dry_run)

    @classmethod
    async def open_existing(cls, path: Path, *, read_only: bool = False, dry_run: bool = False) -> Self:
        """Open a catalog that must be there. ``read_only`` sees one state of it from beginning to end, and may run beside a job."""
        connected = partial(connect_existing, path, read_only=read_only)
        return await cls._open(connected, str(path), dry_run=dry_run or read_only)

    @classmethod
    async def _open(cls, connected: Callable[[], sqlite3.Connection], name: str, *, dry_run: bool) -> Self:
        thread = ThreadPoolExecutor(1, thread_name_prefix="catalog")
        opening = thread.submit(connected)
        try:
            db = await asyncio.wrap_future(opening)
        except BaseException:
            # An interruption comes while the file is being made: its folder may be taken away when that has come to an end.
            thread.submit(_close_again, opening)
            thread.shutdown(wait=True)
            raise
        catalog = cls(db, thread, name, dry_run=dry_run)
        if dry_run:
            await catalog.read(_begin)
        return catalog

    async def __aenter__(self) -> Self:
        """Return the open catalog."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Roll a dry run back, close the connection, end the thread."""
        try:
            await self.read(_close)
        finally:
            self._thread.shutdown(wait=True)

    async def read(
        self, query: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what ``query`` finds. It is called on the catalog's thread."""

        def job() -> T:
            with mapped_errors(self._name):
                return query(self._db, *args, **kwargs)

        done = asyncio.get_running_loop().run_in_executor(self._thread, job)
        # A caller that was cancelled does not ask what came of it, which would be printed.
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        # Shielded: a cancelled caller must not leave a transaction half done on the thread.
        return await asyncio.shield(done)

    async def pages(
        self, query: Callable[Concatenate[sqlite3.Connection, P], Page[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[list[T]]:
        """Yield all that ``query`` finds, a page at a time. It takes the cursor ``after`` and begins without one."""
        ask: Callable[..., Page[T]] = query
        more: dict[str, object] = dict(kwargs)
        while (page := await self.read(ask, *args, **more)).rows:
            yield page.rows
            more["after"] = page.after

    async def rows(
        self, query: Callable[Concatenate[sqlite3.Connection, P], Page[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[T]:
        """Yield all that ``query`` finds, reading a page at a time."""
        async for page in self.pages(query, *args, **kwargs):
            for row in page:
                yield row

    async def write(
        self, command: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Let ``command`` write, in one transaction."""
        within = _in_dry_run if self._dry_run else _in_transaction
        return await self.read(within, lambda db: command(db, *args, **kwargs))

    async def write_durably(
        self, command: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Let ``command`` write what a power cut must not undo: it is on the disk on return."""
        if self._dry_run:
            return await self.write(command, *args, **kwargs)
        # Everywhere else a power cut may cost the newest rows, which speak of bytes that are there.
        await self.read(_execute, "PRAGMA synchronous = FULL")
        try:
            return await self.write(command, *args, **kwargs)
        finally:
            await self.read(_execute, "PRAGMA synchronous = NORMAL")


def _close_again(opening: Future[sqlite3.Connection]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _connect(path: Path | None, dry_run: bool) -> sqlite3.Connection:
    return connect(None if dry_run and path is not None and not path.exists() else path)


def _execute(db: sqlite3.Connection, sql: str) -> None:
    db.execute(sql)


def _begin(db: sqlite3.Connection) -> None:
    db.execute("BEGIN")


def _close(db: sqlite3.Connection) -> None:
    try:
        if db.in_transaction:
            db.execute("ROLLBACK")
    finally:
        db.close()


def _in_dry_run(db: sqlite3.Connection, action: Callable[[sqlite3.Connection], T]) -> T:
    """Write inside the transaction that is rolled back in the end; SQLite ends it by itself where a disk is full."""
    if not db.in_transaction:
        _begin(db)
    return action(db)


def _in_transaction(db: sqlite3.Connection, action: Callable[[sqlite3.Connection], T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = action(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result
