"""What a store's objects should be, from every table that knows: for reading them again and for repairing them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from mediamirror.catalog.sync_rows import Holding, put_holdings


@dataclass(frozen=True, slots=True)
class Recorded:
    """One time that an object's bytes were written or read: their sha256, and the state it was in then."""

    sha256: str
    size: int
    token: str | None
    url: str | None = None
    content_type: str | None = None


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


_QUERY = """
SELECT key, sha256, size, token, url, content_type, rank, at FROM (
    SELECT o.key, o.sha256, o.size, o.token, v.url, o.content_type, 0 AS rank, o.stored_at AS at
    FROM objects o JOIN variants v ON v.id = o.variant_id WHERE o.store_id = :place AND o.key > :after
    UNION ALL
    SELECT key, sha256, size, token, NULL, NULL, 1, '' FROM holdings
    WHERE store_id = :place AND key > :after AND sha256 IS NOT NULL
) WHERE key IN (
    SELECT key FROM (
        SELECT key FROM objects WHERE store_id = :place AND key > :after
        UNION SELECT key FROM holdings WHERE store_id = :place AND key > :after AND sha256 IS NOT NULL
    ) ORDER BY key LIMIT :limit
) ORDER BY key, rank, at DESC
"""


def read_expected(db: sqlite3.Connection, place: int, *, after: str, limit: int) -> list[Expected]:
    """Return what is recorded of up to ``limit`` keys after one, in the order of the keys' bytes."""
    rows = db.execute(_QUERY, {"place": place, "after": after, "limit": limit})
    return [
        Expected(key, tuple(Recorded(*row[1:6]) for row in versions)) for key, versions in groupby(rows, itemgetter(0))
    ]


def put_repaired(db: sqlite3.Connection, place: int, row: Holding) -> None:
    """Record the state that a repaired object is in now, for every table that had it with the same bytes."""
    put_holdings(db, place, (row,))
    db.execute(
        "UPDATE objects SET token = ?, size = ? WHERE store_id = ? AND key = ? AND sha256 = ?",
        (row.token, row.size, place, row.key, row.sha256),
    )
