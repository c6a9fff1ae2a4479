"""What a store's manifest says already, and what it does not say yet.

`published` mirrors the newest row per key of all segments that were written or read from here. What differs between it and
the catalog's own rows is the next segment.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

_SET = "set:"
"""Before the id of an image set in `published.key`: sets and objects share the table, and no key can hold that much."""


@dataclass(frozen=True, slots=True)
class ManifestObject:
    """One object as the manifest tells of it. Sizes in bytes, widths and heights in pixels; None where not known."""

    key: str
    sha256: str
    size: int
    token: str
    content_type: str | None = None
    url: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None


_KNOWN = """
SELECT key, sha256, size, token, content_type, url FROM (
    SELECT key, sha256, size, token, NULL AS content_type, NULL AS url FROM holdings h
    WHERE store_id = :place AND sha256 IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM objects o WHERE o.store_id = h.store_id AND o.key = h.key AND o.token = h.token AND o.sha256 = h.sha256)
    UNION ALL
    SELECT o.key, o.sha256, o.size, o.token, o.content_type, v.url FROM objects o JOIN variants v ON v.id = o.variant_id
    WHERE o.store_id = :place AND o.token IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM holdings h WHERE h.store_id = o.store_id AND h.key = o.key AND h.token <> o.token))
"""

_NEW = f"""
SELECT k.key, k.sha256, k.size, k.token, k.content_type, min(k.url), b.format, b.width, b.height
FROM ({_KNOWN}) k LEFT JOIN blobs b ON b.sha256 = k.sha256
WHERE k.key > :after AND NOT EXISTS (
    SELECT 1 FROM published p
    WHERE p.store_id = :place AND p.key = k.key AND p.sha256 = k.sha256 AND p.token = k.token)
GROUP BY k.key ORDER BY k.key LIMIT :limit
"""


def read_new(db: sqlite3.Connection, place: int, *, after: str, limit: int) -> list[ManifestObject]:
    """Return objects that the manifest does not tell of as they are now, after a key, in the order of the keys' bytes."""
    found = db.execute(_NEW, {"place": place, "after": after, "limit": limit})
    return [ManifestObject(*row) for row in found]


def read_gone(db: sqlite3.Connection, place: int, *, after: str, limit: int) -> list[str]:
    """Return keys that the manifest tells of and the catalog has no row of any more, after a key."""
    query = (
        "SELECT key FROM published p WHERE store_id = ? AND key > ? AND token IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM holdings h WHERE h.store_id = p.store_id AND h.key = p.key) "
        "AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.store_id = p.store_id AND o.key = p.key) ORDER BY key LIMIT ?"
    )
    return [row[0] for row in db.execute(query, (place, after, limit))]


def drop_unknown(db: sqlite3.Connection, place: int) -> None:
    """Leave to others what the manifest tells of and the catalog has no row of: it is not ours to call it gone."""
    db.execute(
        "DELETE FROM published WHERE store_id = ? AND token IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM holdings h WHERE h.store_id = published.store_id AND h.key = published.key) "
        "AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.store_id = published.store_id AND o.key = published.key)",
        (place,),
    )


def published_set(db: sqlite3.Connection, place: int, set_id: str) -> str | None:
    """Return the hash of what the manifest says of an image set, or None."""
    row = db.execute("SELECT sha256 FROM published WHERE store_id = ? AND key = ?", (place, _SET + set_id)).fetchone()
    return row[0] if row else None


def put_published(
    db: sqlite3.Connection,
    place: int,
    *,
    objects: Iterable[ManifestObject] = (),
    sets: Iterable[tuple[str, str]] = (),
    gone: Iterable[str] = (),
) -> None:
    """Write down what a segment says: objects, sets with their hash, and keys that are gone."""
    rows: list[tuple[int, str, str, str | None]] = [(place, o.key, o.sha256, o.token) for o in objects]
    rows += [(place, _SET + set_id, digest, None) for set_id, digest in sets]
    db.executemany(
        "INSERT INTO published (store_id, key, sha256, token) VALUES (?,?,?,?) "
        "ON CONFLICT DO UPDATE SET sha256 = excluded.sha256, token = excluded.token",
        rows,
    )
    db.executemany("DELETE FROM published WHERE store_id = ? AND key = ?", [(place, key) for key in gone])


def knows_manifest(db: sqlite3.Connection, place: int) -> bool:
    """Whether any row of a store's manifest was written or read from here."""
    row = db.execute("SELECT EXISTS (SELECT 1 FROM published WHERE store_id = ?)", (place,)).fetchone()
    return bool(row[0])


def is_new_here(db: sqlite3.Connection, place: int) -> bool:
    """Whether the catalog knows nothing at all of a store's objects."""
    tables = ("holdings", "objects", "published")
    return not any(
        db.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE store_id = ?)", (place,)).fetchone()[0]
        for table in tables
    )
