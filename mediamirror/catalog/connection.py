"""Opening the database file: checks, pragmas, migrations, and SQLite's errors as our own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mediamirror.catalog.schema import MIGRATIONS, NEWEST
from mediamirror.errors import CatalogError


@contextmanager
def mapped_errors(name: str) -> Iterator[None]:
    """Turn SQLite's errors into `CatalogError` sentences that name the file and say what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise CatalogError(_sentence(name, error)) from error


def _sentence(name: str, error: sqlite3.DatabaseError) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return (
            f"The catalog {name} is damaged ({error}): move it away and run again; the stored images are not touched."
        )
    if code == sqlite3.SQLITE_FULL:
        return f"No space left for the catalog {name}: free some and run the same command again."
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR}:
        return f"The catalog {name} can't be opened or written ({error}): check its folder, or use another --catalog."
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"The catalog {name} is in use by another program: wait for it to end, or name another with --catalog."
    return f"The catalog {name} can't be used ({error})."


def connect(path: Path | None) -> sqlite3.Connection:
    """Open or create a catalog, checked and migrated. None means in memory.

    One connection alone reads, writes and checkpoints, since SQLite before 3.51.3 can lose a reset of the WAL
    between two connections. Raises `CatalogError`.
    """
    name = str(path) if path else ":memory:"
    with mapped_errors(name):
        if path is not None:
            _make_folder(path)
        connection = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, name)
        except BaseException:
            connection.close()
            raise
    return connection


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(
            f"The folder of the catalog {path} can't be made ({error.strerror}): name another with --catalog."
        ) from error


def _prepare(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("PRAGMA busy_timeout = 2000")
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise CatalogError(
            f"The catalog {name} is damaged ({verdict}): move it away and run again; the stored images are not touched."
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = FILE")
    migrate(connection, name)


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Apply every migration that is not recorded yet; each with its record in one transaction."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT"
    )
    done = connection.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone()[0]
    if done > NEWEST:
        raise CatalogError(
            f"The catalog {name} was written by a newer release (schema {done}, this one knows {NEWEST}): "
            "upgrade mediamirror, or name another with --catalog."
        )
    for version, script in MIGRATIONS:
        if version > done:
            connection.executescript(
                f"BEGIN; {script} INSERT INTO migrations VALUES ({version}, strftime('%Y-%m-%dT%H:%M:%SZ')); COMMIT;"
            )
