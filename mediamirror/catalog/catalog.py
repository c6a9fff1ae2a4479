"""The catalog: one SQLite file, one connection, one thread that uses it, and async calls for everybody else.

What is asked of it are plain functions of the modules beside this one, which take the connection first: a query goes to
`Catalog.read`, or page by page to `Catalog.pages` and `Catalog.rows`; a command goes to `Catalog.write`. Opening the file is
here too: checks, pragmas, migrations, and SQLite's errors as our own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, Self, TypeVar
from urllib.parse import quote

from mediamirror.catalog.schema import MIGRATIONS, NEWEST
from mediamirror.errors import CatalogDamaged, CatalogError
from mediamirror.model import Passed

P = ParamSpec("P")
T = TypeVar("T")

PAGE = 256
"""Rows in a page of what is read with much beside it."""

KEYS_PAGE = 4096
"""Rows in a page of keys."""


class Page(NamedTuple, Generic[T]):
    """Some rows of an answer, and the cursor after which the next ones follow. The answer ends with an empty page."""

    rows: list[T]
    after: Any


def marks(values: Sequence[object]) -> str:
    """Return the question marks of an ``IN`` for so many values."""
    return ",".join("?" * len(values))


@contextmanager
def mapped_errors(name: str) -> Iterator[None]:
    """Turn SQLite's errors into `CatalogError` sentences that name the file and say what to do."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a defect of ours, which the file has no part in
    except sqlite3.DatabaseError as error:
        damaged = _code(error) in _DAMAGE
        raise (CatalogDamaged if damaged else CatalogError)(_sentence(name, error)) from error


@contextmanager
def rows_of(table: str) -> Iterator[None]:
    """Make something of rows of ``table``: a value that is never written there says that the file is damaged."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise sqlite3.DatabaseError(f"a row of {table} makes no sense: {error}") from error


def as_time(text: str) -> datetime:
    """Read the time in a row, aware. Raises `ValueError` for another text."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} is in no time zone")
    return found


def as_told(text: str | None) -> str | None:
    """Return the time in a row as every output has it, ``2026-11-30T08:47:37Z`` (RFC 3339); rows have ``+00:00`` too."""
    return f"{text[:-6]}Z" if text is not None and text.endswith("+00:00") else text


def as_columns(text: str | None) -> dict[str, object] | None:
    """Read the values of an input's row. Raises `ValueError` and `TypeError` for another text."""
    return None if text is None else dict(json.loads(text).items())


def as_headers(text: str | None) -> list[tuple[str, str]]:
    """Read the headers in a row. Raises `ValueError` and `TypeError` for another text."""
    return [(str(name), str(value)) for name, value in json.loads(text or "[]")]


def as_hops(text: str | None) -> list[Passed] | None:
    """Read the redirects in a row; those that an older release wrote have no time. Raises as `as_headers` does."""
    if text is None:
        return None
    return [
        Passed(str(url), int(status), tuple((str(n), str(v)) for n, v in headers), as_time(at[0]) if at else None)
        for url, status, headers, *at in json.loads(text)
    ]


_DAMAGE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_MISMATCH}
_SQLITE = b"SQLite format 3\0"


def _code(error: sqlite3.DatabaseError) -> int:
    # What `quick_check` found, text that is no UTF-8 and a row without sense have no code of SQLite's. Nor does a function of
    # ours, which is total, see such text: it fails while that is handed over.
    if str(error) == "user-defined function raised exception":
        return sqlite3.SQLITE_CORRUPT
    found: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return found & 0xFF


def _sentence(name: str, error: sqlite3.DatabaseError) -> str:
    code, why = _code(error), str(error).partition(" with text ")[0]
    anew = f"make a new one from what is stored with `mediamirror catalog rebuild DEST --catalog {name} --force`"
    if code in _DAMAGE:
        return f"The catalog {name} is damaged ({why}): {anew}; the damaged file is kept beside it."
    if code == sqlite3.SQLITE_FULL:
        return (
            f"No space left for the catalog {name}, or in the folder for temporary files: "
            "free some and run the same command again."
        )
    if code == sqlite3.SQLITE_IOERR:
        return (
            f"The catalog {name} can't be read or written ({why}): its disk is full or fails. Fix that and run the same "
            "command again."
        )
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return f"The catalog {name} can't be opened or written ({why}): check its folder, or use another --catalog."
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"The catalog {name} is in use by another program: wait for it to end, or name another with --catalog."
    return f"The catalog {name} can't be used ({why}): name another with --catalog, or {anew}."


def lock_beside(catalog: Path) -> Path:
    """Return the lock file of a catalog. It is left beside each one that was ever written to."""
    real = Path(os.path.realpath(catalog))
    return real.with_name(real.name + ".lock")


def refuse_other(path: Path) -> None:
    """Raise `CatalogError` for what is no catalog but something else. It leaves no trace: no lock, no side file.

    What does not begin as a database is a damaged catalog where a lock lies beside it; else it is somebody's.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CatalogError(f"{path} is no regular file, so it can be no catalog: name another with --catalog.")
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
    except OSError:
        return  # it is not there, or SQLite says in its own words why it can't be opened
    if start == _SQLITE:
        _refuse_other_database(path)
    elif start and not lock_beside(path).exists():
        raise CatalogError(
            f"{path} is damaged, or is no catalog at all (it does not begin as an SQLite database): nothing was changed. Name "
            "another file with --catalog. If it was a catalog, move it away, then make it anew with "
            f"`mediamirror catalog rebuild DEST --catalog {path}`."
        )


def _refuse_other_database(path: Path) -> None:
    # As it lies there: a connection of the usual kind would leave files beside a database in WAL mode.
    connection = sqlite3.connect(f"file:{quote(str(path))}?immutable=1", uri=True)
    try:
        _version(connection, str(path))
    except sqlite3.DatabaseError:
        pass  # told where it is opened
    finally:
        connection.close()


def stores_named_in(path: Path) -> list[str]:
    """Return the places that a catalog's file knows, as it lies there; none of a file that can't be read."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?immutable=1", uri=True)) as connection:
            return [str(name) for (name,) in connection.execute("SELECT name FROM stores ORDER BY name")]
    except sqlite3.Error:
        return []


def connect(path: Path | None) -> sqlite3.Connection:
    """Open or create a catalog, checked and migrated. None means one of its own that goes with the connection: what does not fit
    into its cache lies in a temporary file.

    One connection alone reads, writes and checkpoints, since SQLite before 3.51.3 can lose a reset of the WAL
    between two connections. Raises `CatalogError`.
    """
    name = str(path) if path else ":memory:"
    with mapped_errors(name):
        if path is not None:
            refuse_other(path)
            _make_folder(path)
            _make_private(path)
        connection = sqlite3.connect(str(path) if path else "", isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, name)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_existing(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open a catalog that must be there. Raises `CatalogError`; nothing is made in its place.

    With ``read_only`` it is only read, beside whoever writes to it; a file of an older release is brought up to date first.
    """
    if not path.exists():
        raise CatalogError(
            f"There is no catalog {path}: nothing was mirrored or synced to this place from here. If the place holds a mirror, "
            "make one from it with `mediamirror catalog rebuild DEST`; or name the catalog with --catalog FILE."
        )
    if not read_only:
        return connect(path)
    connection = _open_read_only(path)
    if connection is None:
        connect(path).close()
        connection = _open_read_only(path)
    if connection is None:
        raise CatalogError(f"The catalog {path} can't be brought up to date: check its folder.")
    return connection


def _open_read_only(path: Path) -> sqlite3.Connection | None:
    """Open the file for reading; None when it lacks a migration."""
    refuse_other(path)
    with mapped_errors(str(path)):
        uri = f"file:{quote(str(path))}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA busy_timeout = 2000")
            _check(connection)
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute("PRAGMA cache_size = -16384")
            done = _version(connection, str(path))
        except BaseException:
            connection.close()
            raise
        if done == NEWEST:
            return connection
        connection.close()
    return None


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(
            f"The folder of the catalog {path} can't be made ({error.strerror}): name another with --catalog."
        ) from error


def _make_private(path: Path) -> None:
    """Begin a new file that only its owner may read, since it holds URLs whole; SQLite gives its side files the same mode."""
    with suppress(OSError):  # it is there, or SQLite says in its own words why it can't be made
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("PRAGMA busy_timeout = 2000")
    _check(connection)
    _version(connection, name)  # before a byte is written: the file may be another program's
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = FILE")
    migrate(connection, name)


def _check(connection: sqlite3.Connection) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(" ".join(verdict.replace("*", "").split()))


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Apply every migration that is not recorded yet; each with its record in one transaction."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT"
    )
    done = _version(connection, name)
    for version, script in MIGRATIONS:
        if version > done:
            connection.executescript(
                f"BEGIN; {script} INSERT INTO migrations VALUES ({version}, strftime('%Y-%m-%dT%H:%M:%SZ')); COMMIT;"
            )


def _version(connection: sqlite3.Connection, name: str) -> int:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if tables - {"migrations"} and not {"migrations", "image_sets"} <= tables:
        raise CatalogError(
            f"{name} is a database of another program, no catalog: nothing was written. Name another file with --catalog."
        )
    query = "SELECT coalesce(max(version), 0) FROM migrations"
    done: int = connection.execute(query).fetchone()[0] if "migrations" in tables else 0
    if done > NEWEST:
        raise CatalogError(
            f"The catalog {name} was written by a newer release (schema {done}, this one knows {NEWEST}): "
            "upgrade mediamirror, or name another with --catalog."
        )
    return done


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
