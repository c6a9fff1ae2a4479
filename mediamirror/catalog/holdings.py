"""What is known of the objects of a place, whoever put them there: the sha256 that goes with a change token.

One table serves buckets (the token is an ETag) and directories (size, mtime, ctime and inode): a listing that shows the
recorded size and token says that the recorded sha256 still holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from mediamirror.catalog.connection import KEYS_PAGE, PAGE, Page
from mediamirror.first_use import dataclass
from mediamirror.model import Held


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
