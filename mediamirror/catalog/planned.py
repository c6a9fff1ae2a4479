"""The plan of a run as rows: documents, image sets, places, candidates, variants, items. They are gathered and written together.

De-duplication of URLs and merging of sets across documents happen here, by UNIQUE columns, so that memory stays bounded whatever
the number of URLs.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from typing import Any

from mediamirror.catalog.ingest import Run, host_of
from mediamirror.first_use import dataclass, replace
from mediamirror.model import Candidate, ImageSet, Reference, Source

_FULL = 8 * 1024 * 1024
"""Bytes of rows that are written together, about: so many of them touch each page of an index once."""
_FIRST = 2 * 1024 * 1024
"""The same for the first of a plan; each time it is twice as many. A plan of 20,000 URLs takes 7 MiB less memory for it."""
_ROW = 600
"""Bytes that a row takes beside its texts, about."""
_CACHE = 24 * 1024
"""KiB that SQLite may keep of the indexes while a large plan is written."""


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document that was read: its name, what it is, and the sha256 (hex) and size in bytes of its content."""

    name: str
    media_type: str | None
    base_url: str | None
    sha256: str
    size: int
    read_at: str
    columns: str | None = None
    """The plain values of the row that it is, as JSON."""


@dataclass(slots=True, eq=False)
class Planned:
    """A document in the plan: ``id`` as soon as it is written, ``whole`` when it has come to its end and all of it was read."""

    row: DocumentRow
    id: int = 0
    whole: bool = False


class PlanRows:
    """Rows of a plan that are not written yet. `put_plan` writes them; the document that is being read goes on after it."""

    def __init__(self) -> None:
        self._most = _FIRST // 2
        self.clear()

    def clear(self) -> None:
        """Begin anew, when all of them are written."""
        self._most = min(2 * self._most, _FULL)
        self.documents: dict[str, Planned] = {}
        self.sets: dict[bytes, tuple[str | None, str | None, int]] = {}
        self.places: list[tuple[Any, ...]] = []
        self.candidates: list[tuple[Any, ...]] = []
        self.wanted: dict[str, bool] = {}
        self.size = 0

    @property
    def full(self) -> bool:
        """Whether there are so many that they should be written."""
        return self.size >= self._most

    def takes(self, name: str) -> bool:
        """Whether a document of this name may begin: another state of one that is not written yet has to wait for that."""
        return name not in self.documents

    def begin(self, row: DocumentRow) -> Planned:
        """Begin a document."""
        document = Planned(row)
        self.size += _ROW + len(row.columns or "")
        self.documents[row.name] = document
        return document

    def add(self, document: Planned, image_set: ImageSet, wanted: frozenset[str]) -> None:
        """Add one image set found in a document, and which URLs of it are wanted."""
        self.documents[document.row.name] = document
        entries = image_set.entries
        mark = fingerprint(candidate.url for _, candidate in entries)
        alt, context, inferred = self.sets.get(mark, (None, None, int(image_set.inferred)))
        self.sets[mark] = (
            image_set.alt if alt is None else alt,
            image_set.context if context is None else context,
            inferred,
        )
        found = entries[0][1].reference or Reference(image_set.document, entries[0][0].carrier, None, image_set.line)
        first = found if found.line == image_set.line else replace(found, line=image_set.line)
        self._add_place(document, mark, first)
        place = len(self.places)
        for each in image_set.places:
            if each != found:
                self._add_place(document, mark, each)
        self.size += _ROW * len(image_set.places) + len(image_set.alt or "") + len(image_set.context or "")
        for source, candidate in entries:
            self.size += _ROW + 2 * len(candidate.url)
            self.candidates.append(_candidate(place, source, candidate))
            self.wanted[candidate.url] = candidate.url in wanted or self.wanted.get(candidate.url, False)

    def _add_place(self, document: Planned, mark: bytes, found: Reference) -> None:
        start, end = found.span or (None, None)
        self.places.append((mark, document, found.line, found.carrier, found.attribute, start, end))

    def end(self, document: Planned, *, whole: bool) -> None:
        """End a document. What earlier runs found in it goes if ``whole``: what could not be read this time is not forgotten."""
        self.documents[document.row.name] = document
        document.whole = whole


def fingerprint(urls: Iterable[str]) -> bytes:
    """Identify a set by the URLs it names, whatever their order or descriptors: 16 bytes."""
    return hashlib.sha256("\n".join(sorted(set(urls))).encode()).digest()[:16]


def _candidate(place: int, source: Source, candidate: Candidate) -> tuple[Any, ...]:
    reference = candidate.reference
    start, end = (reference.span if reference else None) or (None, None)
    return (
        *(place, candidate.url, source.carrier, reference.attribute if reference else None),
        *(_promised(candidate.width, candidate), candidate.density, _promised(candidate.height, candidate)),
        *(source.media, source.mime, source.sizes, candidate.raw_url or candidate.url),
        *(reference.line if reference else 0, start, end),
    )


def _promised(number: int | None, candidate: Candidate) -> int | None:
    # A size that a page states beside a URL (og:image:width) is no descriptor: nothing is rejected for it.
    if number is None or "stated-size" in candidate.flags:
        return None
    # The standard lets a descriptor be any integer; SQLite's column holds 64 bits, and no file is that wide.
    return min(number, 2**63 - 1)


_PUT_SET = (
    "INSERT INTO image_sets (fingerprint, alt, context, inferred) VALUES (?,?,?,?) ON CONFLICT (fingerprint) "
    "DO UPDATE SET alt = coalesce(alt, excluded.alt), context = coalesce(context, excluded.context) "
    "WHERE (alt IS NULL AND excluded.alt IS NOT NULL) OR (context IS NULL AND excluded.context IS NOT NULL)"
)


def put_plan(db: sqlite3.Connection, run: Run, rows: PlanRows) -> None:
    """Write rows of a plan. The documents that have come to their end lose what earlier runs found in them."""
    if rows.size >= _FULL:
        db.execute(f"PRAGMA cache_size = -{_CACHE}")
    for document in rows.documents.values():
        _put_document(db, run, document)
    hosts = ((url, host_of(url)) for url in rows.wanted)
    put_variants = "INSERT INTO variants (url, host) VALUES (?,?) ON CONFLICT (url) DO NOTHING"
    variants = _ids(db, "variants", "url", rows.wanted, put_variants, hosts)
    marked = ((mark, *rest) for mark, rest in rows.sets.items())
    sets = _ids(db, "image_sets", "fingerprint", rows.sets, _PUT_SET, marked)
    last = _last(db, "places")
    db.executemany(
        "INSERT INTO places (set_id, document_id, run_id, line, carrier, attribute, span_start, span_end) VALUES (?,?,?,?,?,?,?,?)",
        ((sets[mark], document.id, run.id, *rest) for mark, document, *rest in rows.places),
    )
    db.executemany(
        "INSERT INTO candidates (place_id, variant_id, carrier, attribute, width, density, height, media, mime, sizes, "
        "raw_url, line, span_start, span_end) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        ((last + place, variants[url], *rest) for place, url, *rest in rows.candidates),
    )
    db.executemany(
        "INSERT INTO items (run_id, variant_id, wanted) VALUES (?,?,?) "
        "ON CONFLICT (run_id, variant_id) DO UPDATE SET wanted = max(wanted, excluded.wanted)",
        ((run.id, variants[url], wanted) for url, wanted in rows.wanted.items()),
    )


_OF_DOCUMENT = "INDEXED BY places_by_document WHERE document_id = ?"
"""By its own choice SQLite looks through all places of the run, for each document."""


def _put_document(db: sqlite3.Connection, run: Run, document: Planned) -> None:
    row = document.row
    if not document.id:
        db.execute(
            "INSERT INTO documents (name, media_type, base_url, sha256, size, read_at, columns) VALUES (?,?,?,?,?,?,?) "
            "ON CONFLICT (name) DO UPDATE SET media_type = excluded.media_type, base_url = excluded.base_url, "
            "sha256 = excluded.sha256, size = excluded.size, read_at = excluded.read_at, columns = excluded.columns",
            (row.name, row.media_type, row.base_url, row.sha256, row.size, row.read_at, row.columns),
        )
        (document.id,) = db.execute("SELECT id FROM documents WHERE name = ?", (row.name,)).fetchone()
        # Another document of the same name in this very run is another state of it.
        db.execute(f"DELETE FROM places {_OF_DOCUMENT} AND run_id = ?", (document.id, run.id))
    if document.whole:
        db.execute(f"DELETE FROM places {_OF_DOCUMENT} AND run_id <> ?", (document.id, run.id))


def _ids(
    db: sqlite3.Connection, table: str, key: str, wanted: Iterable[Any], command: str, rows: Iterable[tuple[Any, ...]]
) -> dict[Any, int]:
    """Insert what is not there yet, and return the ids of all that is wanted: those of new rows are read in one go."""
    last = _last(db, table)
    db.executemany(command, rows)
    ids: dict[Any, int] = dict(db.execute(f"SELECT {key}, id FROM {table} WHERE id > ?", (last,)))
    query = f"SELECT id FROM {table} WHERE {key} = ?"
    for each in wanted:
        if each not in ids:
            (ids[each],) = db.execute(query, (each,)).fetchone()
    return ids


def _last(db: sqlite3.Connection, table: str) -> int:
    found: int = db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
    return found
