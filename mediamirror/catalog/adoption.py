"""Taking in what lies in a store, from its manifest or from a look at it, where no run of ours has recorded it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from mediamirror.catalog.catalog import KEYS_PAGE, PAGE, Page, marks
from mediamirror.catalog.ingest import put_variant
from mediamirror.catalog.listing import MOST_ROWS
from mediamirror.catalog.manifest import FACTS, ManifestObject, Origin, origins_of
from mediamirror.catalog.stored_sets import put_holdings
from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.model import Held
from mediamirror.redact import is_redacted

_SENDABLE = pattern(r"[\t -~]+")
"""What a header of a request may hold."""
_IMAGE_CODES = ("MM", "not-an-image", "truncated", "undecodable", "over-budget")


@dataclass(frozen=True, slots=True)
class Adopted:
    """An object as it lies there now. Sizes in bytes, widths and heights in pixels; None where not known.

    ``modified`` is when it was written, as its store says, aware.
    """

    key: str
    sha256: str
    size: int
    token: str | None
    content_type: str | None = None
    origins: tuple[Origin, ...] = ()
    format: str | None = None
    width: int | None = None
    height: int | None = None
    modified: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of its bytes, by the names in `manifest.FACTS`."""


def adopted_of(row: ManifestObject, token: str | None) -> Adopted:
    """Return an object as its manifest tells of it, in the state that ``token`` names.

    What a manifest leaves out of a URL, since it is secret, can't be asked for again.
    """
    origins = row.origins or ((Origin(row.url),) if row.url else ())
    usable = tuple(_usable(each) for each in origins if not is_redacted(each.url))
    pixels = (row.format, row.width, row.height)
    return Adopted(row.key, row.sha256, row.size, token, row.content_type, usable, *pixels, facts=row.facts)


def _usable(origin: Origin) -> Origin:
    """Without validators that no request may hold, whoever wrote them."""
    etag, modified = (
        text if text and _SENDABLE.fullmatch(text) else None for text in (origin.etag, origin.last_modified)
    )
    return replace(origin, etag=etag, last_modified=modified)


def put_adopted(db: sqlite3.Connection, place: int, run_id: int, rows: Iterable[Adopted]) -> None:
    """Write objects down, in one transaction: with their URLs where those are known, else by their keys alone."""
    for row in rows:
        _put_blob(db, row.sha256, row.size, row)
        for origin in row.origins:
            variant = put_variant(db, origin.url)
            _put_object(db, place, run_id, variant, row, origin)
            _put_exchange(db, run_id, variant, row, origin)
        if not row.origins and row.token is not None:
            put_holdings(db, {place: (Held(row.key, row.sha256, row.size, row.token),)})


_PUT_BLOB = (
    f"INSERT INTO blobs (sha256, size, format, width, height, {', '.join(FACTS)}) VALUES (?,?,?,?,?,{marks(FACTS)}) "
    f"ON CONFLICT DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in FACTS)} "
    "WHERE excluded.decoded > coalesce(decoded, 0)"
)


def _put_blob(db: sqlite3.Connection, sha256: str, size: int, row: Adopted) -> None:
    facts = {"decoded": 0, **row.facts} if row.format else {}
    db.execute(_PUT_BLOB, (sha256, size, row.format, row.width, row.height, *map(facts.get, FACTS)))


def _put_object(db: sqlite3.Connection, place: int, run_id: int, variant: int, row: Adopted, origin: Origin) -> None:
    db.execute(
        "INSERT OR REPLACE INTO objects (store_id, key, variant_id, sha256, size, content_type, token, source_sha256, stored_at) "
        "VALUES (?,?,?,?,?,?,?,?,coalesce(?, strftime('%Y-%m-%dT%H:%M:%SZ')))",
        (
            *(place, row.key, variant, row.sha256, row.size, row.content_type, row.token, origin.source_sha256),
            _stamp(row.modified),
        ),
    )
    _stand(db, place, run_id, variant, "stored", row.sha256, None)


def _put_exchange(db: sqlite3.Connection, run_id: int, variant: int, row: Adopted, origin: Origin) -> None:
    """Write down the exchange that gave the bytes, so that the next run asks whether they changed and fetches nothing again."""
    if origin.fetched_at is None or origin.status is None:
        return
    given = origin.source_sha256 or row.sha256
    if given != row.sha256:
        # Stripping changes neither format nor pixels.
        _put_blob(db, given, origin.source_size or 0, row)
    served = [("content-type", origin.content_type)] if origin.content_type else []
    db.execute(
        "INSERT INTO fetches (variant_id, run_id, fetched_at, final_url, http_status, headers, etag, last_modified, received, "
        "sha256, asked) SELECT ?,?,?,?,?,?,?,?,0,?,? "
        "WHERE NOT EXISTS (SELECT 1 FROM fetches WHERE variant_id = ? AND fetched_at >= ?)",
        (
            *(variant, run_id, origin.fetched_at, origin.final_url or origin.url, origin.status, json.dumps(served)),
            *(origin.etag, origin.last_modified, given, origin.asked, variant, origin.fetched_at),
        ),
    )


def _stamp(when: datetime | None) -> str | None:
    return None if when is None else f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _stand(
    db: sqlite3.Connection, place: int, run_id: int, variant: int, status: str, sha256: str | None, code: str | None
) -> None:
    db.execute(
        "INSERT OR REPLACE INTO standings (store_id, variant_id, run_id, status, sha256, error_code, settled_at) "
        "VALUES (?,?,?,?,?,?,strftime('%Y-%m-%dT%H:%M:%SZ'))",
        (place, variant, run_id, status, sha256, code),
    )


def put_failures(db: sqlite3.Connection, place: int, run_id: int, rows: Iterable[tuple[str, str, str | None]]) -> None:
    """Write down what failed or was rejected (URL, status, code), where nothing is known of it: so it can be tried again."""
    for url, status, code in rows:
        variant = put_variant(db, url)
        if (
            db.execute("SELECT 1 FROM standings WHERE store_id = ? AND variant_id = ?", (place, variant)).fetchone()
            is None
        ):
            _stand(db, place, run_id, variant, status, None, code)


_TOLD = f"""
SELECT o.key, o.sha256, o.size, o.token, o.content_type, b.format, b.width, b.height, {", ".join(f"b.{name}" for name in FACTS)},
    max(o.stored_at)
FROM objects o LEFT JOIN blobs b ON b.sha256 = o.sha256 WHERE o.store_id = ? AND o.key > ? GROUP BY o.key ORDER BY o.key LIMIT ?
"""


def read_told(db: sqlite3.Connection, place: int, *, after: str = "", limit: int = PAGE) -> Page[Adopted]:
    """Return all that is known of a place's objects that were fetched from somewhere, after a key."""
    found = db.execute(_TOLD, (place, after, limit)).fetchall()
    origins = origins_of(db, place, [row[0] for row in found])
    rows = []
    for key, sha256, size, token, kind, name, width, height, *rest in found:
        facts = {column: value for column, value in zip(FACTS, rest[:-1], strict=True) if value is not None}
        known = origins.get((key, sha256), ())
        rows.append(Adopted(key, sha256, size, token, kind, known, name, width, height, facts=facts))
    return Page(rows, rows[-1].key if rows else after)


def put_carried(db: sqlite3.Connection, place: int, rows: Iterable[Adopted]) -> int:
    """Write down of a place what another one told of the same objects, where this one holds the same bytes; return how many."""
    same = "SELECT size, token FROM holdings WHERE store_id = ? AND key = ? AND sha256 = ?"
    told = "SELECT 1 FROM objects WHERE store_id = ? AND key = ? AND sha256 = ?"
    carried = 0
    for row in rows:
        state = (place, row.key, row.sha256)
        held = db.execute(same, state).fetchone()
        if held is not None and db.execute(told, state).fetchone() is None:
            put_adopted(db, place, 0, [replace(row, size=held[0], token=held[1])])
            carried += 1
    return carried


def has_origins(db: sqlite3.Connection, place: int) -> bool:
    """Whether it is known of any object of a place where it came from."""
    return db.execute("SELECT 1 FROM objects WHERE store_id = ? LIMIT 1", (place,)).fetchone() is not None


def put_manifest_sets(db: sqlite3.Connection, place: int, run_id: int, rows: Iterable[dict[str, Any]]) -> None:
    """Write image sets down as the manifest tells of them: every rung with its descriptor, document and line, and further rows
    of an input that name the set, each with its columns.
    """
    for row in rows:
        fingerprint = bytes.fromhex(row["id"])
        db.execute(
            "INSERT OR IGNORE INTO image_sets (fingerprint, alt, context, inferred) VALUES (?,?,?,0)",
            (fingerprint, row.get("alt"), row.get("context")),
        )
        rungs = (*row["objects"], *row.get("missing", ()))
        if _put_place(db, run_id, fingerprint, row, rungs):
            for rung in row.get("missing", ()):
                _stand_missing(db, place, run_id, rung)
        for further in (row.get("other_rows") or ())[:MOST_ROWS]:
            _put_place(db, run_id, fingerprint, further, rungs)


_PUT_NAMED = """
INSERT INTO documents (name, sha256, size, read_at, columns) VALUES (?, '', 0, strftime('%Y-%m-%dT%H:%M:%SZ'), ?)
ON CONFLICT (name) DO UPDATE SET columns = excluded.columns WHERE sha256 = '' AND excluded.columns IS NOT NULL
"""
"""A document that was read here is known better."""


def _put_place(
    db: sqlite3.Connection, run_id: int, fingerprint: bytes, told: dict[str, Any], rungs: Sequence[dict[str, Any]]
) -> bool:
    """Write down that a document names a set; return False if that was told before."""
    name, line, columns = told.get("document") or "", told.get("line") or 0, told.get("row")
    db.execute(_PUT_NAMED, (name, json.dumps(columns) if columns else None))
    cursor = db.execute(
        "INSERT INTO places (set_id, document_id, run_id, line, carrier) SELECT s.id, d.id, ?, ?, 'manifest' "
        "FROM image_sets s, documents d WHERE s.fingerprint = ? AND d.name = ? AND NOT EXISTS ("
        "SELECT 1 FROM places INDEXED BY places_by_set WHERE set_id = s.id AND document_id = d.id AND line = ?)",
        (run_id, line, fingerprint, name, line),
    )
    if not cursor.rowcount:
        return False
    assert cursor.lastrowid is not None
    _put_rungs(db, cursor.lastrowid, line, rungs)
    return True


def _put_rungs(db: sqlite3.Connection, place_id: int, line: int, rungs: Sequence[dict[str, Any]]) -> None:
    for rung in rungs:
        if is_redacted(rung["url"]):
            continue  # the manifest names no secret, and what is left of the URL can't be asked for
        db.execute(
            "INSERT INTO candidates (place_id, variant_id, carrier, width, density, raw_url, line) "
            "VALUES (?,?,'manifest',?,?,?,?)",
            (place_id, put_variant(db, rung["url"]), rung.get("width"), rung.get("density"), rung["url"], line),
        )


def _stand_missing(db: sqlite3.Connection, place: int, run_id: int, rung: dict[str, Any]) -> None:
    if is_redacted(rung["url"]):
        return
    reason = str(rung.get("reason") or "")
    variant = put_variant(db, rung["url"])
    if reason and reason != "not reached":
        status = "rejected" if reason.startswith(_IMAGE_CODES) else "failed"
        _stand(db, place, run_id, variant, status, None, reason)


def begin_told(db: sqlite3.Connection) -> None:
    """Start with an empty list of what a user says of keys."""
    db.execute("DROP TABLE IF EXISTS temp.told")
    db.execute(
        "CREATE TEMP TABLE told (key TEXT, url TEXT, sha256 TEXT, seen INTEGER, PRIMARY KEY (key, url)) WITHOUT ROWID"
    )


def note_told(db: sqlite3.Connection, rows: Iterable[tuple[str, str, str | None]]) -> None:
    """Take key, URL and sha256 (None where not said) in."""
    db.executemany("INSERT OR REPLACE INTO temp.told VALUES (?,?,?,0)", rows)


def told_of(db: sqlite3.Connection, keys: Sequence[str]) -> dict[str, list[tuple[str, str | None]]]:
    """Return URL and sha256 that were said of these keys, and note that the keys are there."""
    found: dict[str, list[tuple[str, str | None]]] = {}
    for key in keys:
        rows = db.execute("SELECT url, sha256 FROM temp.told WHERE key = ?", (key,)).fetchall()
        if rows:
            found[key] = rows
            db.execute("UPDATE temp.told SET seen = 1 WHERE key = ?", (key,))
    return found


def told_in_vain(db: sqlite3.Connection, *, after: str = "", limit: int = KEYS_PAGE) -> Page[str]:
    """Return keys that something was said of and that are not there."""
    query = "SELECT DISTINCT key FROM temp.told WHERE seen = 0 AND key > ? ORDER BY key LIMIT ?"
    keys = [row[0] for row in db.execute(query, (after, limit))]
    return Page(keys, keys[-1] if keys else after)
