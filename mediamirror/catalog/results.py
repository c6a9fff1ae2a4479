"""Writing outcomes, and reading a run's results back set by set."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime

from mediamirror.catalog.catalog import PAGE, Page, marks, rows_of
from mediamirror.catalog.ingest import Run
from mediamirror.catalog.schema import NATURAL_SIZE
from mediamirror.first_use import dataclass, replace
from mediamirror.model import (
    Facts,
    Finding,
    ImageFacts,
    ItemError,
    Outcome,
    Reference,
    SetResult,
    SetRow,
    Severity,
    Status,
    StoredObject,
)
from mediamirror.redact import lasting_headers, redact_text, redact_url


@dataclass(frozen=True, slots=True)
class Record:
    """One outcome on its way into the catalog, with the object that the store confirmed for it."""

    variant_id: int
    outcome: Outcome
    stored: StoredObject | None


def put_outcomes(db: sqlite3.Connection, run: Run, records: Sequence[Record]) -> None:
    """Write outcomes down. The bytes they speak of are durable already."""
    for record in records:
        put_outcome(db, run, record)


def put_fetches(db: sqlite3.Connection, run: Run, records: Sequence[Record]) -> None:
    """Write down what was fetched before it is stored: after a kill between the two, its object can be told for ours."""
    for record in records:
        put_fetched(db, run.id, record.variant_id, record.outcome)


def put_outcome(db: sqlite3.Connection, run: Run, record: Record) -> None:
    """Write down what became of a variant."""
    run_id, variant_id, outcome = run.id, record.variant_id, record.outcome
    if outcome.download is not None or outcome.error is not None:  # else it tells what the catalog has told
        put_fetched(db, run_id, variant_id, outcome)
    if record.stored is not None and outcome.sha256 is not None:
        source = outcome.source.sha256 if outcome.source else None
        _put_object(db, run.store_id, variant_id, outcome.sha256, source, record.stored)
    _put_standing(db, run, variant_id, outcome)
    told = _told(outcome.error)
    db.execute(
        "UPDATE items SET status = ?, key = ?, sha256 = ?, error_code = ?, error_message = ? "
        "WHERE run_id = ? AND variant_id = ?",
        (outcome.status, outcome.key, outcome.sha256, *told, run_id, variant_id),
    )
    db.execute("DELETE FROM findings WHERE variant_id = ?", (variant_id,))
    for finding in outcome.findings:
        _put_finding(db, run_id, variant_id, finding)


def put_fetched(db: sqlite3.Connection, run_id: int, variant_id: int, outcome: Outcome) -> None:
    """Record an exchange and what its bytes are, whatever becomes of them; a second time in a run renews the first."""
    source = outcome.source
    if outcome.sha256 is not None:
        _put_blob(db, outcome.sha256, outcome.size, outcome.facts)
    if source is not None and source.sha256 != outcome.sha256:
        _put_blob(db, source.sha256, source.size, source.facts)
    if outcome.download is not None or (outcome.error is not None and outcome.status is Status.FAILED):
        _put_fetch(db, run_id, variant_id, outcome)


def _told(error: ItemError | None) -> tuple[str | None, str | None]:
    return (None, None) if error is None else (error.code, redact_text(error.message))


def _put_blob(db: sqlite3.Connection, sha256: str, size: int | None, facts: Facts | None) -> None:
    values: tuple[object, ...] = (facts.format if facts else None, *(None,) * 11)
    if isinstance(facts, ImageFacts):
        values = (
            *(facts.format, facts.width, facts.height, facts.decoded, facts.frames, facts.mode),
            *(facts.alpha, facts.icc, facts.orientation, facts.has_gps, *(facts.corrected or (None, None))),
        )
    # A header check never forgets what an earlier full decode of the same bytes found.
    columns = (
        *("format", "width", "height", "decoded", "frames", "mode", "alpha", "icc", "orientation", "has_gps"),
        *("corrected_width", "corrected_height"),
    )
    db.execute(
        f"INSERT INTO blobs (sha256, size, {', '.join(columns)}) VALUES (?,?,{marks(columns)}) ON CONFLICT (sha256) DO UPDATE SET "
        f"{', '.join(f'{name} = excluded.{name}' for name in columns)} "
        "WHERE coalesce(excluded.decoded, 0) >= coalesce(decoded, 0)",
        (sha256, size, *values),
    )


_RENEW_FETCH = """
UPDATE fetches SET seen_run = :run, seen_at = coalesce(:at, strftime('%Y-%m-%dT%H:%M:%S+00:00')), seen_status = :status,
    headers = :headers, etag = :etag, last_modified = :modified, error_code = :code, error_message = :message,
    asked = :asked
WHERE id = (SELECT max(id) FROM fetches WHERE variant_id = :variant) AND sha256 IS :sha256 AND final_url IS :final_url
    AND (sha256 IS NOT NULL OR (error_code IS :code AND http_status IS :status))
"""
"""The same bytes from the same URL, asked for or not, or the same failure: nothing new, but for when it was seen."""

_PUT_FETCH = """
INSERT INTO fetches (variant_id, run_id, fetched_at, final_url, http_status, headers, etag, last_modified, seconds, redirects,
    received, sha256, error_code, error_message, asked, seen_run, seen_at, seen_status)
VALUES (:variant, :run, coalesce(:at, strftime('%Y-%m-%dT%H:%M:%S+00:00')), :final_url, :status, :headers, :etag, :modified,
    :seconds, :hops, :received, :sha256, :code, :message, :asked, :run, coalesce(:at, strftime('%Y-%m-%dT%H:%M:%S+00:00')), :status)
"""
"""What it will be renewed with is written at once: a row that grows later would split its page."""


def _put_fetch(db: sqlite3.Connection, run_id: int, variant_id: int, outcome: Outcome) -> None:
    values = _fetch_values(run_id, variant_id, outcome)
    if not db.execute(_RENEW_FETCH, values).rowcount:
        db.execute(_PUT_FETCH, values)


def _fetch_values(run_id: int, variant_id: int, outcome: Outcome) -> dict[str, object]:
    download, error, url = outcome.download, outcome.error, outcome.variant.url
    code, message = _told(error)
    values: dict[str, object] = {
        "variant": variant_id,
        "run": run_id,
        "received": outcome.fetched_bytes,
        "sha256": outcome.source.sha256 if outcome.source else outcome.sha256,
        "code": code,
        "message": message,
    }
    if download is None:
        names = ("at", "final_url", "headers", "etag", "modified", "seconds", "hops", "asked")
        return values | dict.fromkeys(names) | {"status": None if error is None else error.http_status}
    hops = [
        (_known(url, each.url), each.status, lasting_headers(each.headers), *_times(each.at)) for each in download.hops
    ]
    return values | {
        "at": download.fetched_at.isoformat(timespec="seconds"),
        "final_url": _known(url, download.final_url),
        "status": download.http_status,
        "headers": json.dumps(lasting_headers(download.headers)),
        "etag": download.header("etag"),
        "modified": download.header("last-modified"),
        "seconds": download.seconds,
        "hops": json.dumps(hops),
        "asked": download.asked,
    }


def _times(at: datetime | None) -> list[str]:
    return [] if at is None else [at.isoformat(timespec="seconds")]


def _known(url: str, passed: str) -> str:
    """A URL on the way to an answer as it is kept: plain only where it is the variant's own, which the catalog has anyway."""
    return passed if passed == url else redact_url(passed, room=None)


def _put_object(
    db: sqlite3.Connection, store_id: int, variant_id: int, sha256: str, source: str | None, stored: StoredObject
) -> None:
    # What a clock that was ahead has written would stay the newest until that time has come.
    db.execute(
        "UPDATE objects INDEXED BY objects_by_variant SET stored_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 second') "
        "WHERE variant_id = ? AND store_id = ? AND stored_at > strftime('%Y-%m-%dT%H:%M:%SZ')",
        (variant_id, store_id),
    )
    db.execute(
        "INSERT INTO objects (store_id, key, variant_id, sha256, size, content_type, token, source_sha256, stored_at) "
        "VALUES (?,?,?,?,?,?,?,?,strftime('%Y-%m-%dT%H:%M:%SZ')) ON CONFLICT DO UPDATE SET sha256 = excluded.sha256, "
        "size = excluded.size, content_type = excluded.content_type, token = excluded.token, "
        "source_sha256 = excluded.source_sha256, stored_at = excluded.stored_at",
        (store_id, stored.key, variant_id, sha256, stored.size, stored.content_type, stored.token, source),
    )


def _put_finding(db: sqlite3.Connection, run_id: int, variant_id: int, finding: Finding) -> None:
    reference = finding.reference
    db.execute(
        "INSERT INTO findings (run_id, variant_id, rule, severity, message, document, line, declared, actual) "
        "VALUES (?,?,?,?,?,?,?,?,?)",
        (
            *(run_id, variant_id, finding.rule, finding.severity, redact_text(finding.message)),
            *((reference.document, reference.line) if reference else (None, None)),
            *(value if value is None else redact_text(value) for value in (finding.declared, finding.actual)),
        ),
    )


_PUT_STANDING = """
INSERT INTO standings (store_id, variant_id, run_id, status, sha256, error_code, error_message, settled_at)
VALUES (?,?,?,?,?,?,?,strftime('%Y-%m-%dT%H:%M:%SZ'))
"""


def _put_standing(db: sqlite3.Connection, run: Run, variant_id: int, outcome: Outcome) -> None:
    """Write down what became of a variant. Not being wanted this time changes nothing about what is known of it."""
    passed_over = outcome.status is Status.SKIPPED and outcome.sha256 is None
    db.execute(
        f"{_PUT_STANDING} ON CONFLICT DO NOTHING"
        if passed_over
        else f"{_PUT_STANDING} ON CONFLICT DO UPDATE SET run_id = excluded.run_id, status = excluded.status, "
        "sha256 = coalesce(excluded.sha256, sha256), error_code = excluded.error_code, "
        "error_message = excluded.error_message, settled_at = excluded.settled_at",
        (run.store_id, variant_id, run.id, outcome.status, outcome.sha256, *_told(outcome.error)),
    )


def read_sets(
    db: sqlite3.Connection, run: Run, *, troubled: bool = False, after: int = 0, limit: int = PAGE
) -> Page[SetResult]:
    """Return the run's image sets with their outcomes; with ``troubled`` only those with a failure, rejection or finding."""
    trouble = (
        "AND EXISTS (SELECT 1 FROM candidates c JOIN items i ON i.variant_id = c.variant_id AND i.run_id = p.run_id "
        "WHERE c.place_id = p.id AND (i.error_code IS NOT NULL OR EXISTS "
        "(SELECT 1 FROM findings f WHERE f.variant_id = c.variant_id AND f.run_id = p.run_id)))"
    )
    query = (
        "SELECT DISTINCT p.set_id FROM places p WHERE p.run_id = ? AND p.set_id > ? "
        f"{trouble if troubled else ''} ORDER BY p.set_id LIMIT ?"
    )
    ids = [row[0] for row in db.execute(query, (run.id, after, limit))]
    return Page([_read_set(db, run.id, set_id) for set_id in ids], ids[-1] if ids else after)


def first_place(db: sqlite3.Connection, set_id: int, run_id: int | None = None) -> tuple[int, SetResult]:
    """Read where a set was found first, of all runs or of one: the id of that place, and the set without its rows."""
    of = "p.set_id = :set" + ("" if run_id is None else " AND p.run_id = :run")
    given = {"set": set_id, "run": run_id}
    found = db.execute(
        "SELECT p.id, d.name, p.line, s.alt, s.context, s.inferred FROM places p "
        "JOIN documents d ON d.id = p.document_id JOIN image_sets s ON s.id = p.set_id "
        f"WHERE {of} AND EXISTS (SELECT 1 FROM candidates c WHERE c.place_id = p.id) ORDER BY p.id LIMIT 1",
        given,
    ).fetchone()
    with rows_of("places"):
        place_id, document, line, alt, context, inferred = found
    places = db.execute(f"SELECT count(*) FROM places p WHERE {of}", given).fetchone()[0]
    return place_id, SetResult(document, line, (), alt, context, bool(inferred), places)


def _read_set(db: sqlite3.Connection, run_id: int, set_id: int) -> SetResult:
    """Read one set of a run with a row for each candidate of its first place."""
    place_id, found = first_place(db, set_id, run_id)
    return replace(found, rows=tuple(_rows(db, run_id, place_id)))


def _rows(db: sqlite3.Connection, run_id: int, place_id: int) -> Iterator[SetRow]:
    query = (
        "SELECT v.id, v.url, c.carrier, c.attribute, c.width, c.density, c.media, c.mime, i.status, i.key, b.format, "
        f"{NATURAL_SIZE}, b.size, i.error_code, i.error_message "
        "FROM candidates c JOIN variants v ON v.id = c.variant_id "
        "JOIN items i ON i.variant_id = v.id AND i.run_id = ? LEFT JOIN blobs b ON b.sha256 = i.sha256 "
        "WHERE c.place_id = ? ORDER BY c.id"
    )
    for row in db.execute(query, (run_id, place_id)):
        url, carrier, attribute, declared, density, media, mime = row[1:8]
        with rows_of("items"):
            status = Status(row[8]) if row[8] else None
        key, fmt, width, height, size = row[9:14]
        error = ItemError(row[14], row[15] or "") if row[14] else None
        found = tuple(findings_of(db, row[0], url, run_id=run_id))
        yield SetRow(
            url, carrier, attribute, declared, density, media, mime, status, key, fmt, width, height, size, found, error
        )


def findings_of(db: sqlite3.Connection, variant_id: int, url: str, *, run_id: int | None = None) -> Iterator[Finding]:
    """Read what a run found in a variant; without ``run_id`` what the newest run did, which replaced all before."""
    query = (
        "SELECT rule, severity, message, document, line, declared, actual FROM findings "
        "WHERE variant_id = ? AND run_id = coalesce(?, run_id) ORDER BY rule, id"
    )
    for rule, severity, message, document, line, declared, actual in db.execute(query, (variant_id, run_id)):
        reference = None if document is None else Reference(document, "", None, line or 0)
        with rows_of("findings"):
            grave = Severity(severity)
        yield Finding(rule, grave, message, url, reference, declared, actual)
