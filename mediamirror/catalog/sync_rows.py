"""What is known of the objects of a place, whoever put them there: the sha256 that goes with a change token.

One table serves buckets (the token is an ETag) and directories (size, mtime, ctime and inode): a listing that shows the
recorded size and token says that the recorded sha256 still holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple


class Holding(NamedTuple):
    """An object as it was when its bytes were last read or written.

    ``sha256`` is None for a copy that a server made itself; then ``twin`` names the object, and its state, that it is a
    copy of. Both may be known.
    """

    key: str
    sha256: str | None
    size: int
    token: str
    twin: str | None = None


def store_id(db: sqlite3.Connection, name: str) -> int:
    """Return the id of a store by its name, known or new."""
    db.execute("INSERT OR IGNORE INTO stores (name) VALUES (?)", (name,))
    found: int = db.execute("SELECT id FROM stores WHERE name = ?", (name,)).fetchone()[0]
    return found


def find_store(db: sqlite3.Connection, name: str) -> int | None:
    """Return the id of a store by its name, or None where nothing was ever recorded of it."""
    found = db.execute("SELECT id FROM stores WHERE name = ?", (name,)).fetchone()
    return found[0] if found else None


def read_holdings(db: sqlite3.Connection, place: int, *, after: str, limit: int) -> list[Holding]:
    """Return what is known of up to about ``limit`` keys after one, in the order of the keys' bytes.

    A key that both a mirror run and a sync wrote down comes twice; a page never ends between the two.
    """
    found = db.execute(
        "SELECT key, sha256, size, token, twin FROM holdings WHERE store_id = :place AND key > :after "
        "UNION ALL SELECT key, sha256, size, token, NULL FROM objects "
        "WHERE store_id = :place AND key > :after AND token IS NOT NULL ORDER BY key LIMIT :limit",
        {"place": place, "after": after, "limit": limit},
    )
    rows = list(map(Holding._make, found))
    if len(rows) < limit:
        return rows
    last = rows[-1].key
    whole = [row for row in rows if row.key != last]
    return whole or _all_of(db, place, last)


def _all_of(db: sqlite3.Connection, place: int, key: str) -> list[Holding]:
    query = (
        "SELECT key, sha256, size, token, twin FROM holdings WHERE store_id = :place AND key = :key UNION ALL "
        "SELECT key, sha256, size, token, NULL FROM objects WHERE store_id = :place AND key = :key AND token IS NOT NULL"
    )
    return [Holding(*row) for row in db.execute(query, {"place": place, "key": key})]


def put_holdings(db: sqlite3.Connection, place: int, rows: Iterable[Holding]) -> None:
    """Write down what was read or written just now; bytes that were written are durable already."""
    db.executemany(
        "INSERT INTO holdings (store_id, key, sha256, size, token, twin) VALUES (?,?,?,?,?,?) "
        "ON CONFLICT DO UPDATE SET sha256 = excluded.sha256, size = excluded.size, token = excluded.token, "
        "twin = excluded.twin",
        ((place, row.key, row.sha256, row.size, row.token, row.twin) for row in rows),
    )


def drop_holdings(db: sqlite3.Connection, place: int, keys: Iterable[str]) -> None:
    """Forget objects that are about to be deleted: rows go before bytes."""
    pairs = [(place, key) for key in keys]
    db.executemany("DELETE FROM holdings WHERE store_id = ? AND key = ?", pairs)
    db.executemany("DELETE FROM objects WHERE store_id = ? AND key = ?", pairs)
