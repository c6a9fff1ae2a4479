"""What a store holds over all runs: its image sets, where its objects came from, and the exchanges that gave their bytes.

What is known of any object of a place, whoever put it there, is the sha256 that goes with a change token. One table serves
buckets (the token is an ETag) and directories (size, mtime, ctime and inode): a listing that shows the recorded size and token
says that the recorded sha256 still holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from mediamirror.catalog.catalog import (
    KEYS_PAGE,
    PAGE,
    Page,
    as_columns,
    as_headers,
    as_hops,
    as_time,
    rows_of,
)
from mediamirror.catalog.listing import MOST_ROWS
from mediamirror.catalog.results import findings_of, first_place
from mediamirror.catalog.schema import NATURAL_SIZE
from mediamirror.first_use import dataclass, replace
from mediamirror.model import Held, ItemError, Passed, SetResult, SetRow, Status
from mediamirror.redact import lasting_headers

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MirroredSet:
    """One image set where it was found first, as its variants stand in the store, and the objects that the store holds of it.

    A row's ``key`` is that of its object, whatever became of the variant since; a row without one has no object.
    """

    result: SetResult
    objects: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class MirroredSource:
    """Where an object came from: its URL, and the validators of its bytes and when the origin was last found to have them."""

    url: str
    key: str
    sha256: str
    fetched_at: datetime
    etag: str | None
    last_modified: str | None
    variant_id: int


def read_sources(
    db: sqlite3.Connection, store_name: str, *, after: tuple[str, int] = ("", 0), limit: int = PAGE
) -> Page[MirroredSource]:
    """Return a page of a store's objects with their sources, after a key and a variant; several URLs may share a key."""
    query = (
        "SELECT v.url, o.key, coalesce(o.source_sha256, o.sha256), coalesce(f.seen_at, f.fetched_at, o.stored_at), "
        "f.etag, f.last_modified, v.id "
        "FROM objects o JOIN stores s ON s.id = o.store_id JOIN variants v ON v.id = o.variant_id "
        "LEFT JOIN fetches f ON f.id = (SELECT max(id) FROM fetches WHERE variant_id = v.id "
        "AND sha256 = coalesce(o.source_sha256, o.sha256)) "
        "WHERE s.name = ? AND (o.key, o.variant_id) > (?, ?) ORDER BY o.key, o.variant_id LIMIT ?"
    )
    found = db.execute(query, (store_name, *after, limit)).fetchall()
    with rows_of("fetches and objects"):
        rows = [MirroredSource(url, key, sha256, as_time(at), *rest) for url, key, sha256, at, *rest in found]
    return Page(rows, (rows[-1].key, rows[-1].variant_id) if rows else after)


def store_names(db: sqlite3.Connection) -> list[str]:
    """Return the stores that something is recorded of, by name."""
    query = (
        "SELECT name FROM stores s WHERE EXISTS (SELECT 1 FROM objects o WHERE o.store_id = s.id) "
        "OR (SELECT count(*) FROM stores) = 1 ORDER BY name"
    )
    return [row[0] for row in db.execute(query)]


# CROSS JOIN keeps the order of the tables: without statistics SQLite would begin with all objects of the store, for each set.
_NAMED = "SELECT 1 FROM places p CROSS JOIN candidates c ON c.place_id = p.id"
_HELD = f"{_NAMED} CROSS JOIN objects o ON o.variant_id = c.variant_id"
_OF_STORE = (
    f"FROM image_sets s WHERE s.id > :after AND EXISTS ({_NAMED} WHERE p.set_id = s.id) AND ("
    f"EXISTS ({_HELD} WHERE p.set_id = s.id AND o.store_id = (SELECT id FROM stores WHERE name = :name)) "
    f"OR NOT EXISTS ({_HELD} WHERE p.set_id = s.id))"
)
"""Sets of which the store holds something, and those of which no store holds anything."""


def read_mirrored(db: sqlite3.Connection, store_name: str, *, after: int = 0, limit: int = PAGE) -> Page[MirroredSet]:
    """Return the image sets of a store over all runs."""
    query = f"SELECT s.id {_OF_STORE} ORDER BY s.id LIMIT :limit"
    ids = [row[0] for row in db.execute(query, {"after": after, "name": store_name, "limit": limit})]
    return Page([_read(db, store_name, set_id) for set_id in ids], ids[-1] if ids else after)


def count_mirrored(db: sqlite3.Connection, store_name: str) -> tuple[int, int]:
    """Count a store's image sets and its objects, over all runs."""
    sets = db.execute(f"SELECT count(*) {_OF_STORE}", {"after": 0, "name": store_name}).fetchone()[0]
    objects = db.execute(
        "SELECT count(DISTINCT key) FROM objects WHERE store_id = (SELECT id FROM stores WHERE name = ?)", (store_name,)
    ).fetchone()[0]
    return sets, objects


def _read(db: sqlite3.Connection, store_name: str, set_id: int) -> MirroredSet:
    place_id, found = first_place(db, set_id)
    pairs = list(_rows(db, store_name, place_id))
    objects = tuple(dict.fromkeys(held for _, held in pairs if held is not None))
    return MirroredSet(replace(found, rows=tuple(row for row, _ in pairs)), objects)


def _rows(db: sqlite3.Connection, store_name: str, place_id: int) -> Iterator[tuple[SetRow, Held | None]]:
    query = (
        "SELECT v.id, v.url, c.carrier, c.attribute, c.width, c.density, c.media, c.mime, "
        "EXISTS (SELECT 1 FROM stores a CROSS JOIN standings b ON b.store_id = a.id AND b.variant_id = v.id), "
        "s.status, s.error_code, s.error_message, s.sha256 "
        "FROM candidates c JOIN variants v ON v.id = c.variant_id LEFT JOIN standings s ON s.variant_id = v.id "
        "AND s.store_id = (SELECT id FROM stores WHERE name = ?) WHERE c.place_id = ? ORDER BY c.id"
    )
    for variant_id, url, carrier, attribute, declared, density, media, mime, *standing in db.execute(
        query, (store_name, place_id)
    ).fetchall():
        reached, status, code, message, sha256 = standing
        held = _object(db, store_name, variant_id)
        fmt, width, height, size = _blob(db, held, sha256)
        row = SetRow(
            *(url, carrier, attribute, declared, density, media, mime, _status(status, held, reached=bool(reached))),
            *(held.key if held else None, fmt, width, height, size),
            findings=tuple(findings_of(db, variant_id, url)),
            error=ItemError(code, message or "") if code else None,
            address=_address(db, variant_id),
        )
        yield row, held


def _address(db: sqlite3.Connection, variant_id: int) -> str | None:
    """Where the page that was rewritten last points for it."""
    row = db.execute(
        "SELECT n.address FROM rewritten n JOIN rewrites r ON r.id = n.rewrite_id WHERE n.variant_id = ? "
        "ORDER BY r.rewritten_at DESC, r.id DESC LIMIT 1",
        (variant_id,),
    ).fetchone()
    return row and str(row[0])


def _status(status: str | None, held: Held | None, *, reached: bool) -> Status | None:
    """What became of it; None where no run got to it."""
    if status in {Status.FAILED, Status.REJECTED}:
        return Status(status)
    if held is not None:
        return Status.STORED
    # A run into another store says nothing of this one.
    return Status.SKIPPED if reached else None


def _object(db: sqlite3.Connection, store_name: str, variant_id: int) -> Held | None:
    row = db.execute(
        "SELECT o.key, o.sha256, o.size FROM objects o INDEXED BY objects_by_variant WHERE o.variant_id = ? "
        "AND o.store_id = (SELECT id FROM stores WHERE name = ?) "
        "ORDER BY o.stored_at DESC, o.key LIMIT 1",
        (variant_id, store_name),
    ).fetchone()
    return Held(*row) if row else None


def _blob(
    db: sqlite3.Connection, held: Held | None, standing: str | None
) -> tuple[str | None, int | None, int | None, int | None]:
    """Format, width, height and size of the object, or of what was fetched and not stored."""
    sha256 = held.sha256 if held else standing
    row = db.execute(f"SELECT b.format, {NATURAL_SIZE}, b.size FROM blobs b WHERE b.sha256 = ?", (sha256,)).fetchone()
    return row or (None, None, None, held.size if held else None)


@dataclass(frozen=True, slots=True)
class NamedBy:
    """A document that names an image set, the line at which it does, and its columns if it is a row of an input."""

    document: str
    line: int
    columns: dict[str, object] | None


_FIRST = """
SELECT d.name, p.line, d.columns, d.id, p.set_id FROM image_sets i CROSS JOIN places p ON p.set_id = i.id
CROSS JOIN documents d ON d.id = p.document_id WHERE i.fingerprint = ? ORDER BY p.id LIMIT 1
"""
_FURTHER = """
SELECT d.name, p.line, d.columns, min(p.id) FROM places p CROSS JOIN documents d ON d.id = p.document_id
WHERE p.set_id = ? AND d.id <> ? AND d.columns IS NOT NULL GROUP BY d.id ORDER BY length(d.name), d.name LIMIT ?
"""


def sets_of_rows(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, list[NamedBy]]:
    """Return, of image sets that rows of an input name, the place where each was found first and the further rows.

    They are `MOST_ROWS` at most, and the first ones in the order in which the catalog is listed, so that a copy lists the same.
    """
    found: dict[str, list[NamedBy]] = {}
    for each in ids:
        first = db.execute(_FIRST, (bytes.fromhex(each),)).fetchone()
        if first is None:
            continue
        *place, document_id, set_id = first
        further = db.execute(_FURTHER, (set_id, document_id, MOST_ROWS)).fetchall()
        with rows_of("documents"):
            places = [NamedBy(name, line, as_columns(text)) for name, line, text, *_ in (place, *further)]
        if any(named.columns for named in places):
            found[each] = places
    return found


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange. ``hops`` are the answers that led on to ``final_url``; None where not recorded."""

    fetched_at: datetime
    final_url: str
    status: int
    headers: Headers
    hops: tuple[Passed, ...] | None


def read_exchange(db: sqlite3.Connection, url: str, sha256: str) -> Exchange | None:
    """Return the newest exchange in which these bytes came whole (a 304 tells only that they are still the same)."""
    row = db.execute(
        "SELECT f.fetched_at, f.final_url, f.http_status, f.headers, f.redirects FROM fetches f "
        "JOIN variants v ON v.id = f.variant_id WHERE v.url = ? AND f.sha256 = ? AND f.http_status <> 304 "
        "ORDER BY f.id DESC LIMIT 1",
        (url, sha256),
    ).fetchone()
    if row is None:
        return None
    at, final_url, status, headers, redirects = row
    with rows_of("fetches"):
        hops = as_hops(redirects)
        kept = (
            None
            if hops is None
            else tuple(each._replace(headers=tuple(lasting_headers(each.headers))) for each in hops)
        )
        return Exchange(as_time(at), final_url or url, status, tuple(lasting_headers(as_headers(headers))), kept)


def read_exchanges(db: sqlite3.Connection, wanted: Iterable[tuple[str | None, str | None]]) -> list[Exchange | None]:
    """Return the same of each URL with its sha256; None where either is unknown."""
    return [None if url is None or sha256 is None else read_exchange(db, url, sha256) for url, sha256 in wanted]


def was_stripped(db: sqlite3.Connection, store: str, key: str, sha256: str) -> bool:
    """Whether an object is recorded as made from other bytes than the origin gave."""
    row = db.execute(
        "SELECT 1 FROM objects o JOIN stores s ON s.id = o.store_id "
        "WHERE s.name = ? AND o.key = ? AND o.sha256 = ? AND o.source_sha256 <> o.sha256",
        (store, key, sha256),
    ).fetchone()
    return row is not None


def read_holdings(db: sqlite3.Connection, place: int, *, after: str = "", limit: int = KEYS_PAGE) -> Page[Held]:
    """Return what is known of up to about ``limit`` keys after one, in the order of the keys' bytes.

    A key that both a mirror run and a sync wrote down comes twice; a page never ends between the two.
    """
    found = db.execute(
        "SELECT key, sha256, size, token, twin FROM holdings WHERE store_id = :place AND key > :after "
        "UNION ALL SELECT key, sha256, size, token, NULL FROM objects "
        "WHERE store_id = :place AND key > :after AND token IS NOT NULL ORDER BY key LIMIT :limit",
        {"place": place, "after": after, "limit": limit},
    )
    rows = list(map(Held._make, found))
    if len(rows) >= limit:
        last = rows[-1].key
        rows = [row for row in rows if row.key != last] or _all_of(db, place, last)
    return Page(rows, rows[-1].key if rows else after)


def _all_of(db: sqlite3.Connection, place: int, key: str) -> list[Held]:
    query = (
        "SELECT key, sha256, size, token, twin FROM holdings WHERE store_id = :place AND key = :key UNION ALL "
        "SELECT key, sha256, size, token, NULL FROM objects WHERE store_id = :place AND key = :key AND token IS NOT NULL"
    )
    return [Held(*row) for row in db.execute(query, {"place": place, "key": key})]


def is_new_here(db: sqlite3.Connection, place: int) -> bool:
    """Whether the catalog knows nothing at all of a store's objects."""
    tables = ("holdings", "objects", "published")
    return not any(
        db.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE store_id = ?)", (place,)).fetchone()[0]
        for table in tables
    )


def put_holdings(db: sqlite3.Connection, holdings: Mapping[int, Iterable[Held]]) -> None:
    """Write down, by the store's id, what was read or written just now; bytes that were written are durable already."""
    db.executemany(
        "INSERT INTO holdings (store_id, key, sha256, size, token, twin) VALUES (?,?,?,?,?,?) "
        "ON CONFLICT DO UPDATE SET sha256 = excluded.sha256, size = excluded.size, token = excluded.token, "
        "twin = excluded.twin",
        (
            (place, row.key, row.sha256, row.size, row.token, row.twin)
            for place, rows in holdings.items()
            for row in rows
        ),
    )


def drop_holdings(db: sqlite3.Connection, place: int, keys: Iterable[str]) -> None:
    """Forget objects that are about to be deleted: rows go before bytes."""
    pairs = [(place, key) for key in keys]
    db.executemany("DELETE FROM holdings WHERE store_id = ? AND key = ?", pairs)
    db.executemany("DELETE FROM objects WHERE store_id = ? AND key = ?", pairs)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One time that an object's bytes were written or read: their sha256, and the state it was in then."""

    sha256: str
    size: int
    token: str | None
    url: str | None = None
    content_type: str | None = None
    decoded: int | None = None
    """Whether every pixel of these bytes was decoded once."""


@dataclass(frozen=True, slots=True)
class Expected:
    """All that is recorded of one key, what a mirror run stored first."""

    key: str
    versions: tuple[Recorded, ...]

    @property
    def url(self) -> str | None:
        """Where the bytes were fetched from, where a mirror run did."""
        return next((one.url for one in self.versions if one.url), None)

    @property
    def content_type(self) -> str | None:
        """What the object was stored as."""
        return next((one.content_type for one in self.versions if one.content_type), None)


def expected_sha256(versions: Sequence[Recorded], *, token: str | None, size: int | None, found: str) -> str | None:
    """Say which sha256 an object should have.

    | a version has the listed size and token | some version has the sha256 found | expected                    |
    |-----------------------------------------|-----------------------------------|-----------------------------|
    | yes                                     |                                   | that version's              |
    | no                                      | yes                               | the one found               |
    | no                                      | no                                | the first version's, if any |
    """
    exact = [one.sha256 for one in versions if token is not None and (one.token, one.size) == (token, size)]
    if exact:
        return exact[0]
    known = [one.sha256 for one in versions]
    return found if found in known else next(iter(known), None)


# The last key of a page comes first, from the order of the two indexes: what follows the page is not looked at.
_LAST_KEY = """
SELECT max(key) FROM (
    SELECT * FROM (SELECT DISTINCT key FROM objects WHERE store_id = :place AND key > :after ORDER BY key LIMIT :limit) UNION
    SELECT * FROM (
        SELECT key FROM holdings WHERE store_id = :place AND key > :after AND sha256 IS NOT NULL ORDER BY key LIMIT :limit
    ) ORDER BY key LIMIT :limit)
"""

_QUERY = """
SELECT key, k.sha256, k.size, token, url, content_type, b.decoded FROM (
    SELECT o.key, o.sha256, o.size, o.token, v.url, o.content_type, 0 AS rank, o.stored_at AS at
    FROM objects o JOIN variants v ON v.id = o.variant_id WHERE o.store_id = :place AND o.key > :after AND o.key <= :last
    UNION ALL
    SELECT key, sha256, size, token, NULL, NULL, 1, '' FROM holdings
    WHERE store_id = :place AND key > :after AND key <= :last AND sha256 IS NOT NULL
) k LEFT JOIN blobs b ON b.sha256 = k.sha256 ORDER BY key, rank, at DESC
"""


def read_expected(db: sqlite3.Connection, place: int, *, after: str = "", limit: int = PAGE) -> Page[Expected]:
    """Return all that is recorded of up to ``limit`` keys after one, in the order of the keys' bytes."""
    given = {"place": place, "after": after, "limit": limit}
    (last,) = db.execute(_LAST_KEY, given).fetchone()
    found = groupby(db.execute(_QUERY, given | {"last": last}), itemgetter(0))
    rows = [Expected(key, tuple(Recorded(*row[1:]) for row in versions)) for key, versions in found]
    return Page(rows, rows[-1].key if rows else after)


def put_repaired(db: sqlite3.Connection, place: int, row: Held) -> None:
    """Write down the state of an object whose recorded bytes were put back just now, in every table that had it with them."""
    put_holdings(db, {place: (row,)})
    db.execute(
        "UPDATE objects SET token = ?, size = ? WHERE store_id = ? AND key = ? AND sha256 = ?",
        (row.token, row.size, place, row.key, row.sha256),
    )
