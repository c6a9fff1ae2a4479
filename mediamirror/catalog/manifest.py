"""What a store's manifest says already, and what it does not say yet; and the manifest beside the catalog.

The table `published` mirrors the newest row for each key of all segments that were written or read from here. What differs
between it and the catalog's own rows is the next segment. Where a manifest is read whole, its rows live in a temporary table.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from mediamirror.catalog.catalog import KEYS_PAGE, PAGE, Page, as_headers, marks, rows_of
from mediamirror.first_use import dataclass, replace

_SET = "set:"
"""Before the id of an image set in `published.key`: sets and objects share the table, and no key can hold that much."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an object's bytes were fetched from, and the newest exchange that gave them; None where not known.

    ``content_type`` is what the origin called them. ``source_sha256`` and ``source_size`` (bytes) are of what it gave, where the
    object was stripped.
    """

    url: str
    fetched_at: str | None = None
    status: int | None = None
    final_url: str | None = None
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    source_sha256: str | None = None
    source_size: int | None = None
    asked: str | None = None
    """`Download.asked`: a digest of the request headers that the answer may depend on."""


@dataclass(frozen=True, slots=True)
class ManifestObject:
    """One object as the manifest tells of it. Sizes in bytes, widths and heights in pixels; None where not known.

    ``facts`` are what else a look at the bytes gave, by the names in `FACTS`; those that are not known are missing. ``url`` is
    that of the first of its ``origins``.
    """

    key: str
    sha256: str
    size: int
    token: str
    content_type: str | None = None
    url: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    origins: tuple[Origin, ...] = ()


FACTS = ("decoded", "frames", "mode", "alpha", "icc", "orientation", "has_gps", "corrected_width", "corrected_height")
"""Columns of `blobs` besides format and size."""


_UNTOLD = """NOT EXISTS (SELECT 1 FROM published p
    WHERE p.store_id = :place AND p.key = {0}.key AND p.sha256 = {0}.sha256 AND p.token = {0}.token)"""
_HELD = f"""holdings h WHERE store_id = :place AND key > :after AND sha256 IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM objects o WHERE o.store_id = h.store_id AND o.key = h.key AND o.token = h.token AND o.sha256 = h.sha256)
    AND {_UNTOLD.format("h")}"""
_STORED = f"""objects o {{}} WHERE o.store_id = :place AND o.key > :after AND o.token IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM holdings h WHERE h.store_id = o.store_id AND h.key = o.key AND h.token <> o.token)
    AND {_UNTOLD.format("o")}"""

_STRETCH = """
SELECT max(key) FROM (
    SELECT * FROM (SELECT key FROM holdings WHERE store_id = :place AND key > :after ORDER BY key LIMIT :limit) UNION ALL
    SELECT * FROM (SELECT key FROM objects WHERE store_id = :place AND key > :after ORDER BY key LIMIT :limit)
    ORDER BY key LIMIT :limit)
"""
"""The last of the next keys, told or not: to look for as many untold ones might be to look through all, for each page."""

_NEW = f"""
SELECT k.key, k.sha256, k.size, k.token, k.content_type, min(k.url), b.format, b.width, b.height,
    {", ".join(f"b.{name}" for name in FACTS)}
FROM (
    SELECT key, sha256, size, token, NULL AS content_type, NULL AS url FROM {_HELD} AND key <= :last UNION ALL
    SELECT o.key, o.sha256, o.size, o.token, o.content_type, v.url
    FROM {_STORED.format("JOIN variants v ON v.id = o.variant_id")} AND o.key <= :last
) k LEFT JOIN blobs b ON b.sha256 = k.sha256
GROUP BY k.key ORDER BY k.key
"""


def read_new(db: sqlite3.Connection, place: int, *, after: str = "", limit: int = PAGE) -> Page[ManifestObject]:
    """Return objects that the manifest does not tell of as they are now, after a key, in the order of the keys' bytes."""
    found: list[Any] = []
    while not found:
        given = {"place": place, "after": after, "limit": limit}
        (last,) = db.execute(_STRETCH, given).fetchone()
        if last is None:
            return Page([], after)
        found = db.execute(_NEW, given | {"last": last}).fetchall()
        after = last
    origins = origins_of(db, place, [row[0] for row in found])
    rows = []
    for row in found:
        facts = {name: value for name, value in zip(FACTS, row[9:], strict=True) if value is not None}
        rows.append(replace(ManifestObject(*row[:9]), facts=facts, origins=origins.get(row[:2], ())))
    return Page(rows, after)


_ORIGINS = """
SELECT o.key, o.sha256, v.url, coalesce(f.fetched_at, o.stored_at), f.http_status, f.final_url, f.headers, f.etag, f.last_modified,
    o.source_sha256, s.size, f.asked
FROM objects o JOIN variants v ON v.id = o.variant_id LEFT JOIN blobs s ON s.sha256 = o.source_sha256 LEFT JOIN fetches f ON f.id = (
    SELECT max(id) FROM fetches WHERE variant_id = v.id AND sha256 = coalesce(o.source_sha256, o.sha256))
WHERE o.store_id = ? AND o.key IN ({}) ORDER BY o.key, v.url
"""


def origins_of(db: sqlite3.Connection, place: int, keys: Sequence[str]) -> dict[tuple[str, str], tuple[Origin, ...]]:
    """Return, by key and sha256, where these objects came from; those of which that is not recorded are missing."""
    found: dict[tuple[str, str], tuple[Origin, ...]] = {}
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        for key, sha256, url, at, status, final_url, headers, *rest in db.execute(
            _ORIGINS.format(marks(some)), (place, *some)
        ).fetchall():
            with rows_of("fetches"):
                served = dict(as_headers(headers)).get("content-type")
            origin = Origin(url, at, status, None if final_url == url else final_url, served, *rest)
            found[key, sha256] = (*found.get((key, sha256), ()), origin)
    return found


def read_gone(db: sqlite3.Connection, place: int, *, after: str = "", limit: int = KEYS_PAGE) -> Page[str]:
    """Return keys that the manifest tells of and the catalog has no row of any more, after a key."""
    query = (
        "SELECT key FROM published p WHERE store_id = ? AND key > ? AND token IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM holdings h WHERE h.store_id = p.store_id AND h.key = p.key) "
        "AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.store_id = p.store_id AND o.key = p.key) ORDER BY key LIMIT ?"
    )
    keys = [row[0] for row in db.execute(query, (place, after, limit))]
    return Page(keys, keys[-1] if keys else after)


def drop_unknown(db: sqlite3.Connection, place: int) -> None:
    """Leave to others what the manifest tells of and the catalog has no row of: it is not ours to call it gone."""
    db.execute(
        "DELETE FROM published WHERE store_id = ? AND token IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM holdings h WHERE h.store_id = published.store_id AND h.key = published.key) "
        "AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.store_id = published.store_id AND o.key = published.key)",
        (place,),
    )


def published_sets(db: sqlite3.Connection, place: int, ids: Sequence[str]) -> dict[str, str]:
    """Return the hash of what the manifest says of these image sets; those that it does not tell of are missing."""
    query = "SELECT sha256 FROM published WHERE store_id = ? AND key = ?"
    found = ((each, db.execute(query, (place, _SET + each)).fetchone()) for each in ids)
    return {each: row[0] for each, row in found if row is not None}


def drop_published(db: sqlite3.Connection, place: int) -> None:
    """Forget what a store's manifest says, since it is about to be read anew."""
    db.execute("DELETE FROM published WHERE store_id = ?", (place,))


def put_published(
    db: sqlite3.Connection,
    place: int,
    *,
    objects: Iterable[tuple[str, str, str]] = (),
    sets: Iterable[tuple[str, str]] = (),
    gone: Iterable[str] = (),
) -> None:
    """Write down what a segment says: objects (key, sha256, token), sets with their hash, and keys that are gone."""
    rows: list[tuple[int, str, str, str | None]] = [(place, *each) for each in objects]
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


_TABLES = (
    "CREATE TEMP TABLE manifest (name TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TEMP TABLE manifest_sets (number INTEGER PRIMARY KEY, id TEXT UNIQUE, row TEXT NOT NULL)",
)
"""Objects by their keys, and image sets in the order in which they were told of first: a variant's first set stays the first."""

_PLACE = "WHERE store_id = :place AND key > :after ORDER BY key LIMIT :limit"
"""A page of each source, so that a page of all is made without reading any of them to its end."""


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key that is named: by a row of the catalog (``own``), or by the manifest alone.

    ``wanted``: a document names a URL that its object came from, or nobody asked whether one does.
    """

    key: str
    own: bool
    wanted: bool = True


def begin_manifest(db: sqlite3.Connection) -> None:
    """Start with an empty manifest."""
    for name, table in zip(("manifest", "manifest_sets"), _TABLES, strict=True):
        db.execute(f"DROP TABLE IF EXISTS temp.{name}")
        db.execute(table)


def note_manifest(db: sqlite3.Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Take rows of the manifest in, oldest first: the newest row per key is what stays, and of a deleted key nothing."""
    for row in rows:
        if row["type"] == "deleted":
            db.execute("DELETE FROM temp.manifest WHERE name = ?", (row["key"],))
        elif row["type"] == "object":
            db.execute("INSERT OR REPLACE INTO temp.manifest VALUES (?,?)", (row["key"], json.dumps(row)))
        else:
            db.execute(
                "INSERT INTO temp.manifest_sets (id, row) VALUES (?,?) ON CONFLICT (id) DO UPDATE SET row = excluded.row",
                (row["id"], json.dumps(row)),
            )


def note_results(db: sqlite3.Connection, rows: Iterable[dict[str, Any]], *, newer: bool) -> int:
    """Take in objects that results tell of; return how many. What the manifest says of one in another state stands, unless the
    results are ``newer``; of one in the same state, where else it came from is added.
    """
    count = 0
    for row in rows:
        known = manifest_rows_of(db, [row["key"]]).get(row["key"])
        same = known is not None and (known["sha256"], known["token"]) == (row["sha256"], row["token"])
        if same and known is not None:
            urls = {origin["url"] for origin in known.get("origins") or ()}
            more = [origin for origin in row["origins"] if origin["url"] not in urls]
            row = known | {"origins": [*(known.get("origins") or ()), *more]}  # noqa: PLW2901
        if known is None or same or newer:
            note_manifest(db, [row])
            count += 1
    return count


def drop_manifest(db: sqlite3.Connection, keys: Iterable[str]) -> int:
    """Take objects out of the manifest that are no more; return how many of them it named."""
    done = db.executemany("DELETE FROM temp.manifest WHERE name = ?", ((key,) for key in keys))
    return done.rowcount


def read_manifest(
    db: sqlite3.Connection, *, after: tuple[str, int] = ("", 0), limit: int = KEYS_PAGE
) -> Page[dict[str, Any]]:
    """Return rows of the manifest after a cursor, objects before sets: keys in the order of their bytes, sets as they came."""
    key, number = after
    query = "SELECT row, name, 0 FROM temp.manifest WHERE name > ? ORDER BY name LIMIT ?"
    rows = [] if number else db.execute(query, (key, limit)).fetchall()
    if not rows:
        query = "SELECT row, '', number FROM temp.manifest_sets WHERE number > ? ORDER BY number LIMIT ?"
        rows = db.execute(query, (number, limit)).fetchall()
    return Page([json.loads(row[0]) for row in rows], rows[-1][1:] if rows else after)


def read_untaken(
    db: sqlite3.Connection, place: int, *, after: str = "", limit: int = KEYS_PAGE
) -> Page[dict[str, Any]]:
    """Return rows of objects that the manifest tells of and the catalog has no row of, after a key."""
    rows = db.execute(
        "SELECT name, row FROM temp.manifest m WHERE name > :after "
        "AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.store_id = :place AND o.key = m.name) "
        "AND NOT EXISTS (SELECT 1 FROM holdings h WHERE h.store_id = :place AND h.key = m.name) ORDER BY name LIMIT :limit",
        {"place": place, "after": after, "limit": limit},
    ).fetchall()
    return Page([json.loads(row) for _, row in rows], rows[-1][0] if rows else after)


def manifest_rows_of(db: sqlite3.Connection, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what the manifest says of these keys; those that it does not name are missing."""
    query = "SELECT row FROM temp.manifest WHERE name = ?"
    found = ((key, db.execute(query, (key,)).fetchone()) for key in keys)
    return {key: json.loads(row[0]) for key, row in found if row is not None}


_UNWANTED = """
SELECT o.key FROM objects o WHERE o.store_id = ? AND o.key IN ({}) GROUP BY o.key HAVING max(
    EXISTS (SELECT 1 FROM candidates c CROSS JOIN places p ON p.id = c.place_id CROSS JOIN documents d ON d.id = p.document_id
        WHERE c.variant_id = o.variant_id AND d.read_at >= ?)
    OR EXISTS (SELECT 1 FROM rewritten r JOIN rewrites w ON w.id = r.rewrite_id
        WHERE r.variant_id = o.variant_id AND w.store_id = o.store_id)
    OR EXISTS (SELECT 1 FROM standings s JOIN runs r ON r.id = s.run_id
        WHERE s.variant_id = o.variant_id AND s.store_id = o.store_id AND r.command = 'catalog import')) = 0
"""
"""Objects whose URLs stand in no document (one that was read late enough), in no rewritten page, and were not taken in with
``catalog import``, which no document has to name."""


def read_known(
    db: sqlite3.Connection, place: int, *, read_since: str | None = None, after: str = "", limit: int = KEYS_PAGE
) -> Page[NamedKey]:
    """Return the keys that catalog or manifest name, after a key, in the order of their bytes.

    ``read_since``: say of each whether a document names it that was read at this time (ISO 8601, UTC) or later.
    """
    found = db.execute(
        "SELECT key, max(own) FROM ("
        f"SELECT * FROM (SELECT DISTINCT key, 1 AS own FROM objects {_PLACE}) "
        f"UNION ALL SELECT * FROM (SELECT key, 1 FROM holdings {_PLACE}) UNION ALL SELECT * FROM (SELECT name, 0 "
        "FROM temp.manifest WHERE name > :after ORDER BY name LIMIT :limit)) "
        "GROUP BY key ORDER BY key LIMIT :limit",
        {"place": place, "after": after, "limit": limit},
    )
    rows = [NamedKey(key, bool(own)) for key, own in found]
    if read_since is not None:
        unwanted = _unwanted(db, place, [row.key for row in rows if row.own], read_since)
        rows = [replace(row, wanted=row.key not in unwanted) for row in rows]
    return Page(rows, rows[-1].key if rows else after)


def _unwanted(db: sqlite3.Connection, place: int, keys: Sequence[str], read_since: str) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        found.update(row[0] for row in db.execute(_UNWANTED.format(marks(some)), (place, *some, read_since)))
    return found
