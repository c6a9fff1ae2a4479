"""Runs, their plans as rows, and their work lists. Called on the catalog's own thread, inside a transaction.

De-duplication of URLs and merging of sets across documents happen here, by UNIQUE columns, so that memory stays bounded whatever
the number of URLs.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from itertools import chain, count
from typing import Any
from urllib.parse import urlsplit

from mediamirror.catalog.catalog import PAGE, marks
from mediamirror.catalog.schema import WORK_LIST
from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.model import Candidate, ImageSet, Reference, Source

CACHE = 2_000
"""KiB of its pages that SQLite may keep: its own default."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run under way: its id, and the id of the store it writes to."""

    id: int
    store_id: int


def begin_run(db: sqlite3.Connection, command: str, store_name: str, started_at: str) -> Run:
    """Record that a run starts. ``command`` must hold no secret."""
    cursor = db.execute("INSERT INTO runs (command, started_at) VALUES (?,?)", (command, started_at))
    assert cursor.lastrowid is not None
    for table in WORK_LIST:
        db.execute(table)
    return Run(cursor.lastrowid, store_id(db, store_name))


def finish_run(db: sqlite3.Connection, run: Run, finished_at: str, exit_code: int) -> None:
    """Record how a run ended."""
    db.execute("UPDATE runs SET finished_at = ?, exit_code = ? WHERE id = ?", (finished_at, exit_code, run.id))


_OLDEST_KEPT = "SELECT id FROM runs ORDER BY id DESC LIMIT 1 OFFSET max(:keep - 1, 0)"

_FORGET_EXCHANGES = f"""
DELETE FROM fetches WHERE coalesce(seen_run, run_id) < ({_OLDEST_KEPT})
    AND id < (SELECT max(id) FROM fetches f WHERE f.variant_id = fetches.variant_id)
    AND id IS NOT (SELECT max(id) FROM fetches f WHERE f.variant_id = fetches.variant_id AND f.sha256 IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM objects o INDEXED BY objects_by_variant WHERE o.variant_id = fetches.variant_id
        AND coalesce(o.source_sha256, o.sha256) = fetches.sha256)
"""

_FORGET_RUNS = (
    f"DELETE FROM runs WHERE id < ({_OLDEST_KEPT}) AND id NOT IN (SELECT max(id) FROM runs GROUP BY command) "
    "AND command <> 'catalog import'"
)

_FORGET_BLOBS = f"""
DELETE FROM blobs WHERE sha256 NOT IN ({
    " UNION ALL ".join(
        f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"
        for table, column in (
            *(("fetches", "sha256"), ("objects", "sha256"), ("objects", "source_sha256"), ("holdings", "sha256")),
            *(("standings", "sha256"), ("published", "sha256")),
        )
    )
})
"""


def forget_runs(db: sqlite3.Connection, keep: int) -> dict[str, int]:
    """Drop what is only history of runs before the newest ``keep``; return how many rows of what went.

    What the next run asks with, what stored bytes came from and how every variant stands is no history. Of each command the last
    run is kept, and each run that took in objects which no document has to name.
    """
    told = {"exchanges": _FORGET_EXCHANGES, "runs": _FORGET_RUNS, "blobs": _FORGET_BLOBS}
    return {name: db.execute(command, {"keep": keep}).rowcount for name, command in told.items()}


def free_bytes(db: sqlite3.Connection) -> tuple[int, int]:
    """Return how many bytes of the file are not used, and how many there are."""
    free, pages, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count", "page_size")
    )
    return free * size, pages * size


def shrink(db: sqlite3.Connection) -> None:
    """Write the file anew without what is not used; for that time it needs as much room again."""
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def follows_a_clean_end(db: sqlite3.Connection, run: Run) -> bool:
    """Whether the run before this one came to its end, and nothing of it failed; so too when there was none."""
    row = db.execute("SELECT exit_code FROM runs WHERE id < ? ORDER BY id DESC LIMIT 1", (run.id,)).fetchone()
    return row is None or row[0] == 0


def continued_from(db: sqlite3.Connection, run: Run) -> int:
    """Return the id of the first run that this one goes on with: of those of the same command right before it that did not end.

    A run without an end was killed, one with the exit code 130 interrupted. Where there is none, it is the run's own id.
    """
    query = (
        "SELECT coalesce(max(id), 0) + 1 FROM runs WHERE id < :run AND NOT "
        "(command = (SELECT command FROM runs WHERE id = :run) AND (finished_at IS NULL OR exit_code = 130))"
    )
    found: int = db.execute(query, {"run": run.id}).fetchone()[0]
    return found


def comes_from(db: sqlite3.Connection, command: str) -> bool:
    """Whether all that the catalog holds comes from runs of one command."""
    commands = db.execute("SELECT DISTINCT command FROM runs LIMIT 2").fetchall()
    return commands == [(command,)]


def is_empty(db: sqlite3.Connection) -> bool:
    """Whether a catalog tells of no document, image or object, as one of a run that ended before its first item."""
    tables = ("documents", "fetches", "standings", "objects", "holdings", "published")
    return not any(db.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0] for table in tables)


def store_id(db: sqlite3.Connection, name: str) -> int:
    """Return the id of a store by its name, known or new."""
    db.execute("INSERT OR IGNORE INTO stores (name) VALUES (?)", (name,))
    found = find_store(db, name)
    assert found is not None
    return found


def find_store(db: sqlite3.Connection, name: str) -> int | None:
    """Return the id of a store by its name, or None where nothing was ever recorded of it."""
    found = db.execute("SELECT id FROM stores WHERE name = ?", (name,)).fetchone()
    return found[0] if found else None


def host_of(url: str) -> str:
    """Return the host of a URL, with the port that it names."""
    plain = _PLAIN.match(url)  # nearly every URL, in a fraction of the time
    return plain[1] if plain is not None else urlsplit(url).netloc.rpartition("@")[2]


_PLAIN = pattern(r"https?://([a-z0-9.:-]++)/")


def put_variant(db: sqlite3.Connection, url: str) -> int:
    """Return the id of a URL, known or new."""
    row = db.execute("SELECT id FROM variants WHERE url = ?", (url,)).fetchone()
    if row is None:
        cursor = db.execute("INSERT INTO variants (url, host) VALUES (?,?)", (url, host_of(url)))
        assert cursor.lastrowid is not None
        return cursor.lastrowid
    found: int = row[0]
    return found


def order_work(db: sqlite3.Connection, run: Run) -> tuple[int, int, int]:
    """End planning: give every wanted item its place in the queue, host by host, in the order of finding.

    Each host's items lie in a row. So that work can be handed out for each host by itself, the stretches of places are kept
    as the table ``lanes``. Returns the numbers of sets, of variants and of wanted variants.
    """
    db.execute(f"PRAGMA cache_size = -{CACHE}")  # `put_plan` may have taken more, and sorting takes as much again
    db.execute("PRAGMA shrink_memory")
    db.execute(
        "UPDATE items SET position = turn.place FROM ("
        "  SELECT variant_id, row_number() OVER (ORDER BY lead, variant_id) AS place FROM ("
        "    SELECT i.variant_id, min(i.variant_id) OVER (PARTITION BY v.host) AS lead"
        "    FROM items i JOIN variants v ON v.id = i.variant_id WHERE i.run_id = :run AND i.wanted = 1"
        # In the order of the rows that are changed; only with a limit does SQLite keep to it.
        "  ) ORDER BY variant_id LIMIT -1) AS turn WHERE items.run_id = :run AND items.variant_id = turn.variant_id",
        {"run": run.id},
    )
    db.execute("CREATE INDEX IF NOT EXISTS temp.items_by_position ON items(run_id, position)")
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS lanes ("
        "run_id INTEGER, first INTEGER, last INTEGER, host TEXT, PRIMARY KEY (run_id, first)) WITHOUT ROWID"
    )
    put_lanes(db, run)
    sets = (
        "SELECT (SELECT count(DISTINCT set_id) FROM places WHERE run_id = :run) + "
        "(SELECT count(*) FROM temp.named_sets WHERE run_id = :run)"
    )
    items = "SELECT count(*), coalesce(sum(wanted), 0) FROM items WHERE run_id = :run"
    return (*db.execute(sets, {"run": run.id}).fetchone(), *db.execute(items, {"run": run.id}).fetchone())


def put_turn(db: sqlite3.Connection, urls: Sequence[str]) -> None:
    """Add to what is handled in the next turn of a run: `order_turn` begins it."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS turn (url TEXT PRIMARY KEY) WITHOUT ROWID")
    db.executemany("INSERT OR IGNORE INTO temp.turn VALUES (?)", [(url,) for url in urls])


def put_rejected(db: sqlite3.Connection, run: Run, codes: Sequence[str], beyond: int) -> None:
    """Add what the run rejected for one of ``codes`` before it came to the places after ``beyond``."""
    query = (
        "SELECT v.url FROM items i JOIN variants v ON v.id = i.variant_id WHERE i.run_id = ? AND i.wanted = 1 "
        f"AND i.position <= ? AND i.status = 'rejected' AND i.error_code IN ({marks(codes)})"
    )
    put_turn(db, [row[0] for row in db.execute(query, (run.id, beyond, *codes))])


def order_turn(db: sqlite3.Connection, run: Run) -> tuple[int, int]:
    """Give what was put into the turn its places after all others, host by host, and make it the work list.

    Returns the place after which they lie, and their number.
    """
    put_turn(db, ())
    beyond: int = db.execute(
        "SELECT coalesce(max(position), 0) FROM items WHERE run_id = ? AND wanted = 1", (run.id,)
    ).fetchone()[0]
    count = db.execute(
        "UPDATE items SET wanted = 1, position = :beyond + turn.place FROM (SELECT v.id, row_number() OVER (ORDER BY v.host, v.id) "
        "AS place FROM temp.turn t JOIN variants v ON v.url = t.url) AS turn "
        "WHERE items.run_id = :run AND items.variant_id = turn.id",
        {"run": run.id, "beyond": beyond},
    ).rowcount
    db.execute("DELETE FROM temp.turn")
    put_lanes(db, run, beyond)
    return beyond, count


def leave_out(db: sqlite3.Connection, run: Run, variants: Sequence[int]) -> None:
    """Take variants of which something has become out of the queue; `put_lanes` makes the lanes of the rest."""
    db.executemany(
        "UPDATE items SET position = NULL WHERE run_id = ? AND variant_id = ?", [(run.id, each) for each in variants]
    )


def put_lanes(db: sqlite3.Connection, run: Run, beyond: int = 0) -> None:
    """Keep the stretches of places of each host's wanted items, after those up to ``beyond``."""
    db.execute("DELETE FROM temp.lanes WHERE run_id = ?", (run.id,))
    db.execute(
        "INSERT INTO temp.lanes SELECT i.run_id, min(i.position), max(i.position), v.host FROM items i "
        # By its index SQLite would come to the items, and to their hosts, from everywhere.
        "JOIN variants v ON v.id = i.variant_id WHERE i.run_id = ? AND i.wanted = 1 AND +i.position > ? GROUP BY v.host",
        (run.id, beyond),
    )


def plan_retry(db: sqlite3.Connection, run: Run, *, planned: bool) -> None:
    """Want exactly those variants that failed when they were last wanted; with ``planned`` only among the run's own.

    Only what a document still names is tried again: its places move to this run, as if the document had been read anew. The
    other variants of these sets keep what is known of them, so that the run tells of whole sets.
    """
    if planned:
        db.execute(
            "UPDATE items SET wanted = 0 WHERE run_id = :run AND NOT EXISTS (SELECT 1 FROM standings s "
            "WHERE s.store_id = :store AND s.variant_id = items.variant_id AND s.status = 'failed')",
            {"run": run.id, "store": run.store_id},
        )
    else:
        db.execute(
            "INSERT INTO items (run_id, variant_id, wanted) SELECT :run, s.variant_id, 1 FROM standings s "
            "WHERE s.store_id = :store AND s.status = 'failed' "
            "AND EXISTS (SELECT 1 FROM candidates c WHERE c.variant_id = s.variant_id)",
            {"run": run.id, "store": run.store_id},
        )
        db.execute(
            "UPDATE places SET run_id = :run WHERE set_id IN (SELECT p.set_id FROM items i "
            "JOIN candidates c ON c.variant_id = i.variant_id JOIN places p ON p.id = c.place_id WHERE i.run_id = :run)",
            {"run": run.id},
        )
        db.execute(
            "INSERT OR IGNORE INTO items (run_id, variant_id, wanted) SELECT DISTINCT :run, c.variant_id, 0 "
            "FROM places p JOIN candidates c ON c.place_id = p.id WHERE p.run_id = :run",
            {"run": run.id},
        )
    db.execute(
        "UPDATE items SET status = s.status, sha256 = s.sha256, error_code = s.error_code, error_message = s.error_message, "
        "key = (SELECT o.key FROM objects o INDEXED BY objects_by_variant "
        "WHERE o.variant_id = s.variant_id AND o.store_id = s.store_id "
        "ORDER BY o.stored_at DESC LIMIT 1) FROM standings s WHERE s.store_id = :store AND s.variant_id = items.variant_id "
        "AND items.run_id = :run AND items.wanted = 0",
        {"run": run.id, "store": run.store_id},
    )


_FULL = 8 * 1024 * 1024
"""Bytes of rows that are written together, about: so many of them touch each page of an index once."""
_FIRST = 2 * 1024 * 1024
"""The same for the first of a plan; each time it is twice as many. A plan of 20,000 URLs takes 7 MiB less memory for it."""
_ROW = 600
"""Bytes that a row takes beside its texts, about."""
_BARE_ROW = 200
"""The same for a row of the work list alone."""
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
    """Rows of a plan that are not written yet. `put_plan` writes them; the document that is being read goes on after it.

    Without ``promises`` they are the work list alone: of what documents say about an image, and where, nothing is kept.
    """

    def __init__(self, *, promises: bool = True) -> None:
        self.promises = promises
        self._most = _FIRST // 2
        self.clear()

    def clear(self) -> None:
        """Begin anew, when all of them are written."""
        self._most = min(2 * self._most, _FULL if self.promises else _FIRST // 2)
        self.lone: set[str] = set()
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
        if not self.promises:
            self._add_urls([candidate.url for candidate in image_set.candidates], wanted)
            return
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

    def add_lone(self, url: str) -> None:
        """Add a set of one URL, which is wanted, and of which nothing else is kept."""
        self.lone.add(url)
        self.size += _BARE_ROW + len(url)
        self.wanted[url] = True

    def _add_urls(self, urls: list[str], wanted: frozenset[str]) -> None:
        if len(set(urls)) == 1:
            self.lone.add(urls[0])
        else:
            self.sets[fingerprint(urls)] = (None, None, 0)
        for url in urls:
            self.size += _BARE_ROW + len(url)
            self.wanted[url] = url in wanted or self.wanted.get(url, False)

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
    hosts = ((url, host_of(url)) for url in rows.wanted)
    put_variants = "INSERT INTO variants (url, host) VALUES (?,?) ON CONFLICT (url) DO NOTHING"
    variants = _ids(db, "variants", "url", rows.wanted, put_variants, hosts)
    db.executemany(
        "INSERT INTO items (run_id, variant_id, wanted) VALUES (?,?,?) "
        "ON CONFLICT (run_id, variant_id) DO UPDATE SET wanted = max(wanted, excluded.wanted)",
        ((run.id, variants[url], wanted) for url, wanted in rows.wanted.items()),
    )
    if rows.promises:
        _put_promises(db, run, rows, variants)
    else:
        marks = chain((variants[url] for url in rows.lone), rows.sets)
        db.executemany("INSERT OR IGNORE INTO temp.named_sets VALUES (?,?)", ((run.id, mark) for mark in marks))


def _put_promises(db: sqlite3.Connection, run: Run, rows: PlanRows, variants: dict[str, int]) -> None:
    if rows.size >= _FULL:
        db.execute(f"PRAGMA cache_size = -{_CACHE}")
    for document in rows.documents.values():
        _put_document(db, run, document)
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
    db: sqlite3.Connection, table: str, key: str, wanted: Collection[Any], command: str, rows: Iterable[tuple[Any, ...]]
) -> dict[Any, int]:
    """Insert ``rows`` as far as they are not there yet, and return the ids of all that is wanted, which has their order."""
    last = _last(db, table)
    db.executemany(command, rows)
    if _last(db, table) - last == len(wanted):  # all of them are new: numbered in a row, as SQLite does
        return dict(zip(wanted, count(last + 1), strict=False))
    ids: dict[Any, int] = dict(db.execute(f"SELECT {key}, id FROM {table} WHERE id > ?", (last,)))
    left = [each for each in wanted if each not in ids]
    for start in range(0, len(left), PAGE):
        some = left[start : start + PAGE]
        ids.update(db.execute(f"SELECT {key}, id FROM {table} WHERE {key} IN ({marks(some)})", some))
    return ids


def _last(db: sqlite3.Connection, table: str) -> int:
    found: int = db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
    return found
