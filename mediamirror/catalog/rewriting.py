"""What a rewrite asks of the catalog, and what it leaves there: which page points where now, by which map, since when."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mediamirror.catalog.catalog import KEYS_PAGE, Page, marks
from mediamirror.catalog.work import BLOB, facts_from_row
from mediamirror.first_use import dataclass
from mediamirror.model import ImageFacts

_AT_ONCE = 500
"""Values in one ``IN``."""
_OBJECT = (
    "(SELECT o.key FROM objects o INDEXED BY objects_by_variant WHERE o.store_id = :store AND o.variant_id = v.id "
    "ORDER BY o.stored_at DESC LIMIT 1)"
)


class Standing(NamedTuple):
    """How a URL stands in a store: the status of its last run there, and the key of its newest object."""

    status: str
    key: str | None


class KnownDocument(NamedTuple):
    """A document that was mirrored: its base URL, when it was read, and whether it had these bytes then."""

    base_url: str | None
    read_at: str
    same: bool


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A page that was rewritten. ``output`` is its file; ``addresses`` are the URLs that moved, with where they point now.

    ``target`` is the public URL, or the folder of a mirror that is pointed at by relative paths. Hashes are sha256, in hex.
    """

    document: str
    output: str
    before: str
    after: str
    target: str
    rewritten_at: str
    addresses: tuple[tuple[str, str], ...]


def read_standings(db: sqlite3.Connection, store: int, urls: Sequence[str]) -> dict[str, Standing]:
    """Return how URLs stand in a store. One that was never wanted there is left out."""
    # CROSS JOIN: without statistics SQLite may go through all that the store holds, for each page.
    rows = db.execute(
        "SELECT v.url, s.status, o.key FROM json_each(:urls) j CROSS JOIN variants v ON v.url = j.value "
        "CROSS JOIN standings s ON s.variant_id = v.id AND s.store_id = :store LEFT JOIN objects o INDEXED BY objects_by_variant "
        "ON o.variant_id = v.id AND o.store_id = :store ORDER BY o.stored_at",
        {"store": store, "urls": json.dumps(urls)},
    )
    return {
        url: Standing(status, key) for url, status, key in rows
    }  # the newest of several objects comes last, and counts


def read_pictures(
    db: sqlite3.Connection, store: int, urls: Sequence[str]
) -> dict[str, tuple[tuple[int, int], str, bool]]:
    """Return natural size, format and whether the store holds it, of the newest file that each URL gave, where it was an image."""
    found: dict[str, tuple[tuple[int, int], str, bool]] = {}
    for some in _chunks(urls):
        names = ",".join(f":u{number}" for number in range(len(some)))
        rows = db.execute(
            f"SELECT v.url, {_OBJECT} IS NOT NULL, {BLOB} FROM variants v JOIN fetches f ON f.id = "
            "(SELECT max(id) FROM fetches WHERE variant_id = v.id AND sha256 IS NOT NULL) JOIN blobs b ON b.sha256 = f.sha256 "
            f"WHERE v.url IN ({names})",
            {"store": store} | {f"u{number}": url for number, url in enumerate(some)},
        )
        for url, stored, *blob in rows:
            facts = facts_from_row(tuple(blob))
            if isinstance(facts, ImageFacts):
                found[url] = facts.natural, facts.format, bool(stored)
    return found


def read_keys(db: sqlite3.Connection, store: int, keys: Sequence[str]) -> set[str]:
    """Return those of the keys that hold an object in a store."""
    found: set[str] = set()
    for some in _chunks(keys):
        query = f"SELECT DISTINCT key FROM objects WHERE store_id = ? AND key IN ({marks(some)})"
        found.update(row[0] for row in db.execute(query, (store, *some)))
    return found


def read_moved(db: sqlite3.Connection, store: int, *, after: int = 0, limit: int = KEYS_PAGE) -> Page[tuple[str, str]]:
    """Return every URL that a store holds verified bytes of, with its key, after a cursor."""
    rows = db.execute(
        f"SELECT v.id, v.url, {_OBJECT} AS key FROM standings s JOIN variants v ON v.id = s.variant_id "
        "WHERE s.store_id = :store AND s.variant_id > :after AND s.status <> 'rejected' AND key IS NOT NULL "
        "ORDER BY s.variant_id LIMIT :limit",
        {"store": store, "after": after, "limit": limit},
    ).fetchall()
    return Page([(url, key) for _, url, key in rows], rows[-1][0] if rows else after)


def read_known(db: sqlite3.Connection, name: str, sha256: str) -> KnownDocument | None:
    """Return the document that was mirrored under a name, or one with the same bytes. None: neither."""
    row = db.execute("SELECT base_url, read_at, sha256 FROM documents WHERE name = ?", (name,)).fetchone()
    if row is None or row[2] != sha256:
        query = "SELECT base_url, read_at, sha256 FROM documents WHERE sha256 = ? ORDER BY id LIMIT 1"
        row = db.execute(query, (sha256,)).fetchone() or row
    return None if row is None else KnownDocument(row[0], row[1], row[2] == sha256)


def put_rewritten(db: sqlite3.Connection, store: int, pages: Sequence[Rewritten]) -> None:
    """Write down what was rewritten. A file that is rewritten once more keeps what moved before."""
    for page in pages:
        known = db.execute("SELECT id, sha256 FROM rewrites WHERE output = ?", (page.output,)).fetchone()
        if known is not None and known[1] != page.before:
            forget_rewritten(db, [page.output])
        db.execute(
            "INSERT INTO rewrites (document, output, source_sha256, sha256, store_id, target, rewritten_at) "
            "VALUES (?,?,?,?,?,?,?) ON CONFLICT (output) DO UPDATE SET sha256 = excluded.sha256, store_id = excluded.store_id, "
            "target = excluded.target, rewritten_at = excluded.rewritten_at",
            (page.document, page.output, page.before, page.after, store, page.target, page.rewritten_at),
        )
        (rewrite,) = db.execute("SELECT id FROM rewrites WHERE output = ?", (page.output,)).fetchone()
        db.execute(
            "INSERT OR REPLACE INTO rewritten (rewrite_id, variant_id, address) SELECT ?, v.id, j.value "
            "FROM json_each(?) j CROSS JOIN variants v ON v.url = j.key",
            (rewrite, json.dumps(dict(page.addresses))),
        )


def forget_rewritten(db: sqlite3.Connection, outputs: Sequence[str]) -> None:
    """Forget the rewriting of files that have their own bytes again."""
    for some in _chunks(outputs):
        db.execute(f"DELETE FROM rewrites WHERE output IN ({marks(some)})", some)


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
