"""What a store should hold by its catalog and its manifest, side by side. The manifest's rows live in a temporary table."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_TABLE = "CREATE TEMP TABLE manifest (kind TEXT, name TEXT, row TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID"

_PLACE = "WHERE store_id = :place AND key > :after ORDER BY key LIMIT :limit"
"""A page of each source, so that a page of all is made without reading any of them to its end."""


@dataclass(frozen=True, slots=True)
class Known:
    """A key that is named: by a row of the catalog (``own``), or by the manifest alone."""

    key: str
    own: bool


def begin_manifest(db: sqlite3.Connection) -> None:
    """Start with an empty manifest."""
    db.execute("DROP TABLE IF EXISTS temp.manifest")
    db.execute(_TABLE)


def note_manifest(db: sqlite3.Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Take rows of the manifest in, oldest first: the newest row per key is what stays, and of a deleted key nothing."""
    for row in rows:
        if row["type"] == "deleted":
            db.execute("DELETE FROM temp.manifest WHERE kind = 'object' AND name = ?", (row["key"],))
        else:
            name = row["key"] if row["type"] == "object" else row["id"]
            db.execute("INSERT OR REPLACE INTO temp.manifest VALUES (?,?,?)", (row["type"], name, json.dumps(row)))


def drop_manifest(db: sqlite3.Connection, keys: Iterable[str]) -> None:
    """Take objects out of the manifest that are no more."""
    db.executemany("DELETE FROM temp.manifest WHERE kind = 'object' AND name = ?", ((key,) for key in keys))


def manifest_page(
    db: sqlite3.Connection, *, after: tuple[str, str], limit: int
) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    """Return rows of the manifest after a cursor, objects before sets, keys in the order of their bytes."""
    rows = db.execute(
        "SELECT kind, name, row FROM temp.manifest WHERE (kind, name) > (?, ?) ORDER BY kind, name LIMIT ?",
        (*after, limit),
    )
    return [((kind, name), json.loads(row)) for kind, name, row in rows]


def manifest_rows_of(db: sqlite3.Connection, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what the manifest says of these keys; those that it does not name are missing."""
    query = "SELECT row FROM temp.manifest WHERE kind = 'object' AND name = ?"
    found = ((key, db.execute(query, (key,)).fetchone()) for key in keys)
    return {key: json.loads(row[0]) for key, row in found if row is not None}


def known_page(db: sqlite3.Connection, place: int, *, after: str, limit: int) -> list[Known]:
    """Return the keys that catalog or manifest name, after a key, in the order of their bytes."""
    rows = db.execute(
        "SELECT key, max(own) FROM ("
        f"SELECT * FROM (SELECT DISTINCT key, 1 AS own FROM objects {_PLACE}) "
        f"UNION ALL SELECT * FROM (SELECT key, 1 FROM holdings {_PLACE}) UNION ALL SELECT * FROM (SELECT name, 0 "
        "FROM temp.manifest WHERE kind = 'object' AND name > :after ORDER BY name LIMIT :limit)) "
        "GROUP BY key ORDER BY key LIMIT :limit",
        {"place": place, "after": after, "limit": limit},
    )
    return [Known(key, bool(own)) for key, own in rows]


def known_store(db: sqlite3.Connection, name: str) -> int | None:
    """Return the id of a store that the catalog knows, else None."""
    row = db.execute("SELECT id FROM stores WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None
