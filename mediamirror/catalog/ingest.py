"""Writing the plan: documents, image sets, places, candidates, variants, and the work list of a run.

De-duplication of URLs and merging of sets across documents happen here, by UNIQUE columns, so that memory stays
bounded whatever the number of URLs. Called on the catalog's own thread, inside a transaction.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from mediamirror.model import Candidate, ImageSet, Reference, Source


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document that was read: its name, what it is, and the sha256 (hex) and size in bytes of its content."""

    name: str
    media_type: str | None
    base_url: str | None
    sha256: str
    size: int
    read_at: str


def fingerprint(image_set: ImageSet) -> bytes:
    """Identify a set by the variants it names, whatever their order or descriptors: 16 bytes."""
    urls = sorted({candidate.url for candidate in image_set.candidates})
    return hashlib.sha256("\n".join(urls).encode()).digest()[:16]


def put_document(db: sqlite3.Connection, row: DocumentRow) -> int:
    """Insert or renew a document, dropping what an earlier run found in it. Returns its id."""
    db.execute(
        "INSERT INTO documents (name, media_type, base_url, sha256, size, read_at) VALUES (?,?,?,?,?,?) "
        "ON CONFLICT (name) DO UPDATE SET media_type = excluded.media_type, base_url = excluded.base_url, "
        "sha256 = excluded.sha256, size = excluded.size, read_at = excluded.read_at",
        (row.name, row.media_type, row.base_url, row.sha256, row.size, row.read_at),
    )
    found: tuple[int] = db.execute("SELECT id FROM documents WHERE name = ?", (row.name,)).fetchone()
    db.execute("DELETE FROM places WHERE document_id = ?", found)
    return found[0]


def put_set(db: sqlite3.Connection, run_id: int, document_id: int, image_set: ImageSet, wanted: frozenset[str]) -> None:
    """Add one image set found in a document, merged with the same set found before."""
    db.execute(
        "INSERT INTO image_sets (fingerprint, alt, context, inferred) VALUES (?,?,?,?) ON CONFLICT (fingerprint) "
        "DO UPDATE SET alt = coalesce(alt, excluded.alt), context = coalesce(context, excluded.context)",
        (fingerprint(image_set), image_set.alt, image_set.context, int(image_set.inferred)),
    )
    set_id = db.execute("SELECT id FROM image_sets WHERE fingerprint = ?", (fingerprint(image_set),)).fetchone()[0]
    entries = image_set.entries
    first = entries[0][1].reference or Reference(image_set.document, entries[0][0].carrier, None, image_set.line)
    place_id = _put_place(db, run_id, set_id, document_id, replace(first, line=image_set.line))
    for place in image_set.places:
        if place != first:
            _put_place(db, run_id, set_id, document_id, place)
    for source, candidate in entries:
        _put_candidate(db, run_id, place_id, source, candidate, candidate.url in wanted)


def _put_place(db: sqlite3.Connection, run_id: int, set_id: int, document_id: int, reference: Reference) -> int:
    start, end = reference.span or (None, None)
    cursor = db.execute(
        "INSERT INTO places (set_id, document_id, run_id, line, carrier, attribute, span_start, span_end) "
        "VALUES (?,?,?,?,?,?,?,?)",
        (set_id, document_id, run_id, reference.line, reference.carrier, reference.attribute, start, end),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _put_candidate(
    db: sqlite3.Connection, run_id: int, place_id: int, source: Source, candidate: Candidate, wanted: bool
) -> None:
    variant_id = put_variant(db, candidate.url)
    reference = candidate.reference
    start, end = (reference.span if reference else None) or (None, None)
    db.execute(
        "INSERT INTO candidates (place_id, variant_id, carrier, attribute, width, density, height, media, mime, sizes, "
        "raw_url, line, span_start, span_end) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            *(place_id, variant_id, source.carrier, reference.attribute if reference else None),
            *(_promised(candidate.width, candidate), candidate.density, _promised(candidate.height, candidate)),
            *(source.media, source.mime, source.sizes, candidate.raw_url or candidate.url),
            *(reference.line if reference else 0, start, end),
        ),
    )
    db.execute(
        "INSERT INTO items (run_id, variant_id, wanted) VALUES (?,?,?) "
        "ON CONFLICT (run_id, variant_id) DO UPDATE SET wanted = max(wanted, excluded.wanted)",
        (run_id, variant_id, int(wanted)),
    )


def _promised(number: int | None, candidate: Candidate) -> int | None:
    # A size that a page states beside a URL (og:image:width) is no descriptor: nothing is rejected for it.
    if number is None or "stated-size" in candidate.flags:
        return None
    # The standard lets a descriptor be any integer; SQLite's column holds 64 bits, and no file is that wide.
    return min(number, 2**63 - 1)


def put_variant(db: sqlite3.Connection, url: str) -> int:
    """Return the id of a URL, known or new."""
    row = db.execute("SELECT id FROM variants WHERE url = ?", (url,)).fetchone()
    if row is None:
        cursor = db.execute(
            "INSERT INTO variants (url, host) VALUES (?,?)", (url, urlsplit(url).netloc.rpartition("@")[2])
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid
    found: int = row[0]
    return found


def order_work(db: sqlite3.Connection, run_id: int) -> None:
    """Give every wanted item its place in the queue: host by host, in the order of finding, each host's items in a row.

    So that work can be handed out for each host by itself, the stretches of places are kept as the table ``lanes``.
    """
    db.execute(
        "UPDATE items SET position = turn.place FROM ("
        "  SELECT variant_id, row_number() OVER (ORDER BY lead, variant_id) AS place FROM ("
        "    SELECT i.variant_id, min(i.variant_id) OVER (PARTITION BY v.host) AS lead"
        "    FROM items i JOIN variants v ON v.id = i.variant_id WHERE i.run_id = :run AND i.wanted = 1"
        "  )) AS turn WHERE items.run_id = :run AND items.variant_id = turn.variant_id",
        {"run": run_id},
    )
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS lanes ("
        "run_id INTEGER, first INTEGER, last INTEGER, host TEXT, PRIMARY KEY (run_id, first)) WITHOUT ROWID"
    )
    db.execute("DELETE FROM temp.lanes WHERE run_id = ?", (run_id,))
    db.execute(
        "INSERT INTO temp.lanes SELECT i.run_id, min(i.position), max(i.position), v.host FROM items i "
        "JOIN variants v ON v.id = i.variant_id WHERE i.run_id = ? AND i.wanted = 1 GROUP BY v.host",
        (run_id,),
    )
