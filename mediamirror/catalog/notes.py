"""What one run has to remember of its variants and no later run: notes by URL, in a temporary table on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence


def put_notes(db: sqlite3.Connection, notes: Iterable[tuple[str, bytes]]) -> None:
    """Keep a note for each URL until the catalog is closed."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS notes (url TEXT PRIMARY KEY, note BLOB NOT NULL) WITHOUT ROWID")
    db.executemany("INSERT OR REPLACE INTO temp.notes VALUES (?,?)", notes)


def get_notes(db: sqlite3.Connection, urls: Sequence[str]) -> dict[str, bytes]:
    """Return the notes of these URLs; those without one are missing."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS notes (url TEXT PRIMARY KEY, note BLOB NOT NULL) WITHOUT ROWID")
    found: dict[str, bytes] = {}
    for start in range(0, len(urls), 500):
        some = urls[start : start + 500]
        marks = ",".join("?" * len(some))
        found.update(db.execute(f"SELECT url, note FROM temp.notes WHERE url IN ({marks})", some).fetchall())
    return found
