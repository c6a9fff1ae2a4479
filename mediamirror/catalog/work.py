"""The work list of a run, read page by page with what is known of each variant from before, and notes for that run alone."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from mediamirror.catalog.catalog import PAGE, Page, as_headers, as_time, marks, rows_of
from mediamirror.catalog.ingest import Run
from mediamirror.first_use import dataclass
from mediamirror.model import Facts, ImageFacts, OpaqueFacts, Promise, Reference, Variant


@dataclass(frozen=True, slots=True)
class KnownObject:
    """Where a variant's bytes lie in this run's store, as recorded when they were put there."""

    key: str
    sha256: str
    size: int
    content_type: str | None
    token: str | None
    source_sha256: str | None = None
    """The origin's bytes that these were stripped from, or were found to need no stripping; None: stored as they came."""


@dataclass(frozen=True, slots=True)
class KnownFetch:
    """The newest exchange that gave this variant's bytes: validators, headers and the facts about those bytes.

    ``fetched_at`` is when the origin was last asked and had these bytes. ``facts`` is None when the bytes were never a sound image.
    """

    fetched_at: datetime
    final_url: str
    http_status: int
    headers: tuple[tuple[str, str], ...]
    etag: str | None
    last_modified: str | None
    sha256: str
    size: int
    facts: Facts | None
    run_id: int = 0
    """The run that asked."""
    asked: str | None = None
    """`Download.asked`."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One variant of the current run, with what the catalog knows about it."""

    variant_id: int
    variant: Variant
    fetch: KnownFetch | None = None
    objects: tuple[KnownObject, ...] = ()
    sibling_widths: tuple[int, ...] = ()
    """The width descriptors of the other candidates in its sets, in pixels."""


def read_work(
    db: sqlite3.Connection,
    run: Run,
    *,
    wanted: bool = True,
    promises: bool = True,
    after: int = 0,
    last: int = 2**63 - 1,
    limit: int = PAGE,
) -> Page[WorkItem]:
    """Return up to ``limit`` items after a cursor, and none after ``last``.

    Wanted items come by their place in the queue, the others by variant. Without ``promises`` nothing is read of what documents
    say about them.
    """
    items = read_places(db, run, wanted=wanted, promises=promises, after=after, last=last, limit=limit)
    return Page([item for _, item in items], items[-1][0] if items else after)


def read_places(
    db: sqlite3.Connection,
    run: Run,
    *,
    after: int,
    last: int,
    limit: int,
    wanted: bool = True,
    promises: bool = True,
) -> list[tuple[int, WorkItem]]:
    """Return what `read_work` does, each item with its place."""
    cursor = "i.position" if wanted else "i.variant_id"
    rows = db.execute(
        f"SELECT {cursor}, v.id, v.url FROM items i JOIN variants v ON v.id = i.variant_id "
        f"WHERE i.run_id = ? AND i.wanted = ? AND {cursor} > ? AND {cursor} <= ? "
        f"ORDER BY {cursor} LIMIT ?",
        (run.id, int(wanted), after, last, limit),
    ).fetchall()
    ids = [row[1] for row in rows]
    promised = _promises(db, run.id, ids) if promises else {}
    fetches = _fetches(db, ids)
    objects = _objects(db, run.store_id, ids)
    siblings = _siblings(db, run.id, ids) if promises else {}

    def item(id_: int, url: str) -> WorkItem:
        variant = Variant(url, tuple(promised.get(id_, ())))
        return WorkItem(id_, variant, fetches.get(id_), tuple(objects[id_]), siblings.get(id_, ()))

    return [(place, item(id_, url)) for place, id_, url in rows]


def read_lanes(db: sqlite3.Connection, run: Run, *, after: int = 0, limit: int = PAGE) -> Page[tuple[str, int, int]]:
    """Return the hosts (with their ports) of the wanted variants, each with the first and last of its places."""
    query = "SELECT host, first, last FROM temp.lanes WHERE run_id = ? AND first > ? ORDER BY first LIMIT ?"
    rows = db.execute(query, (run.id, after, limit)).fetchall()
    return Page(rows, rows[-1][1] if rows else after)


_OF_VARIANTS = "candidates c INDEXED BY candidates_by_variant CROSS JOIN places p ON p.id = c.place_id"
"""Left to itself SQLite reads all places of the run for each page."""


def _promises(db: sqlite3.Connection, run_id: int, ids: list[int]) -> dict[int, list[Promise]]:
    # One row per distinct promise: a logo on 10,000 pages is promised once, by the first place that says it.
    found: dict[int, list[Promise]] = defaultdict(list)
    query = (
        "SELECT c.variant_id, c.width, c.mime, d.name, c.carrier, c.attribute, c.line, c.span_start, c.span_end, "
        f"min(c.id) FROM {_OF_VARIANTS} CROSS JOIN documents d ON d.id = p.document_id "
        f"WHERE c.variant_id IN ({marks(ids)}) AND p.run_id = ? "
        "GROUP BY c.variant_id, c.width, c.mime ORDER BY min(c.id)"
    )
    for variant_id, width, mime, name, carrier, attribute, line, start, end, _ in db.execute(query, (*ids, run_id)):
        span = None if start is None else (start, end)
        found[variant_id].append(Promise(width, mime, Reference(name, carrier, attribute, line, span)))
    return found


def _fetches(db: sqlite3.Connection, ids: list[int]) -> dict[int, KnownFetch]:
    query = (
        "SELECT f.variant_id, coalesce(f.seen_at, f.fetched_at), f.final_url, f.http_status, f.headers, f.etag, f.last_modified, "
        "f.sha256, b.size, coalesce(f.seen_run, f.run_id), f.asked, "
        f"{BLOB} FROM fetches f JOIN blobs b ON b.sha256 = f.sha256 WHERE f.id IN (SELECT max(id) FROM fetches "
        f"WHERE variant_id IN ({marks(ids)}) AND sha256 IS NOT NULL GROUP BY variant_id)"
    )
    rows = db.execute(query, ids).fetchall()
    with rows_of("fetches and blobs"):
        return {row[0]: _known_fetch(row[1:11], row[11:]) for row in rows}


def _known_fetch(row: tuple[Any, ...], blob: tuple[Any, ...]) -> KnownFetch:
    fetched_at, url, status, headers, etag, modified, sha256, size, run_id, asked = row
    at, kept, facts = as_time(fetched_at), tuple(as_headers(headers)), facts_from_row(blob)
    return KnownFetch(at, url, status, kept, etag, modified, sha256, size, facts, run_id, asked)


BLOB = (
    "b.format, b.width, b.height, b.decoded, b.frames, b.mode, b.alpha, b.icc, b.orientation, b.has_gps, "
    "b.corrected_width, b.corrected_height"
)
"""The columns of a blob ``b`` that `facts_from_row` takes."""


def facts_from_row(row: tuple[Any, ...]) -> Facts | None:
    """Rebuild facts from the blob columns format … corrected_height; None when the bytes were never a sound image.

    Raises `ValueError` for an image without a size.
    """
    name, width, height, decoded, frames, mode, alpha, icc, orientation, gps, *corrected = row
    if name is None:
        return None
    if width is None:
        return OpaqueFacts()
    if height is None:
        raise ValueError("a width without a height")
    has_alpha, has_icc, has_gps = (None if flag is None else bool(flag) for flag in (alpha, icc, gps))
    size = None if None in corrected else (corrected[0], corrected[1])
    return ImageFacts(name, width, height, bool(decoded), frames, mode, has_alpha, has_icc, orientation, has_gps, size)


def _siblings(db: sqlite3.Connection, run_id: int, ids: list[int]) -> dict[int, tuple[int, ...]]:
    # The first place speaks for all, and 64 widths for a hostile set of 100,000: this only helps to read file names.
    query = (
        f"SELECT c.variant_id, min(c.place_id) FROM {_OF_VARIANTS} "
        f"WHERE c.variant_id IN ({marks(ids)}) AND p.run_id = ? GROUP BY c.variant_id"
    )
    place_of = dict(db.execute(query, (*ids, run_id)).fetchall())
    widths = _widths(db, sorted(set(place_of.values())))
    return {variant_id: widths[place] for variant_id, place in place_of.items() if place in widths}


def _widths(db: sqlite3.Connection, places: list[int]) -> dict[int, tuple[int, ...]]:
    query = (
        f"WITH asked (place) AS (VALUES {','.join('(?)' for _ in places)}) SELECT place, (SELECT group_concat(width) FROM "
        "(SELECT DISTINCT width FROM candidates WHERE place_id = place AND width IS NOT NULL LIMIT 64)) AS told "
        "FROM asked WHERE told IS NOT NULL"
    )
    found = db.execute(query, places).fetchall() if places else []
    return {place: tuple(map(int, told.split(","))) for place, told in found}


def _objects(db: sqlite3.Connection, store_id: int, ids: list[int]) -> dict[int, list[KnownObject]]:
    found: dict[int, list[KnownObject]] = defaultdict(list)
    # Left to itself SQLite reads all objects of the store for each page.
    query = (
        "SELECT variant_id, key, sha256, size, content_type, token, source_sha256 FROM objects "
        "INDEXED BY objects_by_variant "
        f"WHERE store_id = ? AND variant_id IN ({marks(ids)})"
    )
    for variant_id, *rest in db.execute(query, (store_id, *ids)):
        found[variant_id].append(KnownObject(*rest))
    return found


def put_notes(db: sqlite3.Connection, notes: Iterable[tuple[str, bytes]]) -> None:
    """Keep a note for each URL until the catalog is closed."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS notes (url TEXT PRIMARY KEY, note BLOB NOT NULL) WITHOUT ROWID")
    db.executemany("INSERT OR REPLACE INTO temp.notes VALUES (?,?)", notes)


def get_notes(db: sqlite3.Connection, urls: Sequence[str]) -> dict[str, bytes]:
    """Return the notes of these URLs; those without one are missing."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS notes (url TEXT PRIMARY KEY, note BLOB NOT NULL) WITHOUT ROWID")
    found: dict[str, bytes] = {}
    for start in range(0, len(urls), 500):
        some = urls[start : start + 500]
        found.update(db.execute(f"SELECT url, note FROM temp.notes WHERE url IN ({marks(some)})", some).fetchall())
    return found
