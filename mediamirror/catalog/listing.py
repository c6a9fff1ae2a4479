"""The catalog as a list: one row for each variant of a store and for each object without a URL, image sets together.

The choice is made once, into a temporary table on disk, and read page by page: memory does not grow with the catalog.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from mediamirror.catalog.catalog import PAGE, Page, as_columns, as_told, marks, rows_of
from mediamirror.catalog.ingest import find_store
from mediamirror.first_use import dataclass

MOST_SETS = 100
MOST_ROWS = 100
"""Sets told of one variant at most: a placeholder may be in each of a hundred thousand."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to list; every condition that is given must hold. Widths are pixels, both ends included.

    ``host`` may be a glob; without a port it means each port. ``image_set`` is a set's number, the beginning of its id, or text (or
    a glob) in its document's name, context or alt text. ``rules`` are codes.
    ``store`` is a name as in the table of stores; None lists them all.
    """

    store: str | None = None
    host: str | None = None
    image_set: str | None = None
    widths: tuple[int, int] | None = None
    format: str | None = None
    statuses: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """What the catalog says of one variant in one store, or of an object whose URL it does not know.

    ``status`` is ``stored``, ``rejected``, ``failed``, ``skipped`` or ``gone`` (was stored, and is no more). ``set_number``
    and ``set_id`` are those of the first image set that names it, ``document`` and ``line`` the place where that was found.
    Widths and heights are pixels, sizes bytes, times ISO 8601.
    """

    store: str
    status: str
    url: str | None = None
    final_url: str | None = None
    key: str | None = None
    declared_width: tuple[int, ...] = ()
    width: int | None = None
    height: int | None = None
    format: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    content_type: str | None = None
    token: str | None = None
    findings: tuple[str, ...] = ()
    error_code: str | None = None
    error_message: str | None = None
    fetched_at: str | None = None
    http_status: int | None = None
    stored_at: str | None = None
    set_number: int | None = None
    set_id: str | None = None
    sets: tuple[str, ...] = ()
    document: str | None = None
    line: int | None = None
    alt: str | None = None
    context: str | None = None
    columns: dict[str, object] | None = None
    """The plain values of the input's row that the document is."""
    other_columns: tuple[dict[str, object], ...] = ()
    """The same of further rows of the input that name this image, by their documents' names, row 2 before row 10; `MOST_ROWS` at
    most."""


_MATCHES = """(
    p.set_id = :number OR hex(i.fingerprint) GLOB :digits OR casefold(d.name) GLOB :word OR casefold(i.alt) GLOB :word
    OR casefold(i.context) GLOB :word)"""

_OWN = (
    "SELECT o.sha256 FROM objects o INDEXED BY objects_by_variant WHERE o.store_id = s.store_id AND o.variant_id = s.variant_id "
    "ORDER BY o.stored_at DESC LIMIT 1"
)

_STATUS = """CASE WHEN s.status NOT IN ('stored', 'unchanged', 'duplicate') THEN s.status
    WHEN EXISTS (SELECT 1 FROM objects o WHERE o.store_id = s.store_id AND o.variant_id = s.variant_id)
    THEN 'stored' ELSE 'gone' END"""

# CROSS JOIN and the plus: from the variant's candidates on. Going through all sets in order instead takes hours for a million.
_VARIANTS = """
SELECT s.store_id, s.variant_id, NULL AS key, ({status}) AS status, coalesce(({own}), s.sha256) AS sha256,
    (SELECT min(+p.set_id) FROM candidates c CROSS JOIN places p ON p.id = c.place_id {joined}
     WHERE c.variant_id = s.variant_id {matches}) AS set_id
FROM standings s
"""

_OTHERS = """
SELECT h.store_id, NULL AS variant_id, h.key, 'stored' AS status, h.sha256, NULL AS set_id FROM holdings h
WHERE NOT EXISTS (SELECT 1 FROM objects o WHERE o.store_id = h.store_id AND o.key = h.key)
AND h.store_id IN (SELECT store_id FROM standings UNION SELECT store_id FROM published UNION SELECT :place)
"""


# By name: the number of a document says who read it when, and is another one in the catalog of a copy.
_OTHER_ROWS = (
    "SELECT d.columns FROM documents d WHERE d.columns IS NOT NULL AND d.id IN (SELECT p.document_id FROM candidates c "
    "CROSS JOIN places p ON p.id = c.place_id WHERE c.variant_id = ?) AND d.id != ? ORDER BY length(d.name), d.name LIMIT ?"
)


def choose(db: sqlite3.Connection, query: Query) -> int:
    """Choose the rows that `read_chosen` gives; return how many there are."""
    db.create_function("casefold", 1, lambda text: None if text is None else str(text).casefold(), deterministic=True)
    db.execute("DROP TABLE IF EXISTS temp.chosen")
    db.execute(
        "CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY, store_id INTEGER, variant_id INTEGER, key TEXT, status TEXT, "
        "sha256 TEXT, set_id INTEGER)"
    )
    place = None if query.store is None else find_store(db, query.store)
    if query.store is not None and place is None:
        return 0
    values: dict[str, object] = {"place": place}
    conditions = _conditions(query, values)
    joined = "JOIN image_sets i ON i.id = p.set_id JOIN documents d ON d.id = p.document_id" if query.image_set else ""
    matches = f"AND {_MATCHES}" if query.image_set else ""
    variants = _VARIANTS.format(status=_STATUS, own=_OWN, joined=joined, matches=matches)
    db.execute(
        "INSERT INTO chosen (store_id, variant_id, key, status, sha256, set_id) "
        f"SELECT q.store_id, q.variant_id, q.key, q.status, q.sha256, q.set_id FROM ({variants} UNION ALL {_OTHERS}) q "
        f"{' '.join(_tables(query))} WHERE {' AND '.join(conditions) or '1'} "
        "ORDER BY q.set_id IS NULL, q.set_id, q.variant_id IS NULL, q.variant_id, q.key, q.store_id",
        values,
    )
    found: int = db.execute("SELECT count(*) FROM chosen").fetchone()[0]
    return found


def _tables(query: Query) -> list[str]:
    pixels = query.widths is not None or query.format is not None
    return ["LEFT JOIN blobs b ON b.sha256 = q.sha256"] * pixels + ["JOIN variants v ON v.id = q.variant_id"] * (
        query.host is not None
    )


def _conditions(query: Query, values: dict[str, object]) -> list[str]:
    found: list[str] = []
    if query.store is not None:
        found.append("q.store_id = :place")
    if query.host is not None:
        # A host is recorded with its port; who names none means each.
        found.append("(casefold(v.host) GLOB :host OR casefold(v.host) GLOB :host || ':[0-9]*')")
        values["host"] = query.host.casefold().replace("[", "[[]")
    if query.image_set is not None:
        found.append("q.set_id IS NOT NULL")
        values |= _set_words(query.image_set)
    if query.widths is not None:
        # What was never seen is known by what it was declared to be.
        found.append(
            "(b.width BETWEEN :least AND :most OR (b.width IS NULL AND EXISTS (SELECT 1 FROM candidates c "
            "WHERE c.variant_id = q.variant_id AND c.width BETWEEN :least AND :most)))"
        )
        values |= {"least": query.widths[0], "most": query.widths[1]}
    if query.format is not None:
        found.append("b.format = :format")
        values["format"] = query.format
    if query.statuses:
        found.append(f"q.status IN {_named('status', query.statuses, values)}")
    if query.rules:
        rules = _named("rule", query.rules, values)
        found.append(f"EXISTS (SELECT 1 FROM findings f WHERE f.variant_id = q.variant_id AND f.rule IN {rules})")
    return found


def _named(name: str, words: Sequence[str], values: dict[str, object]) -> str:
    values |= {f"{name}{number}": word for number, word in enumerate(words)}
    return f"({','.join(f':{name}{number}' for number in range(len(words)))})"


def _set_words(word: str) -> dict[str, object]:
    plain = not any(sign in word for sign in "*?")
    is_id = len(word) >= 6 and all(sign in "0123456789abcdefABCDEF" for sign in word)
    escaped = "".join(f"[{sign}]" if sign == "[" else sign for sign in word.casefold())
    number = int(word) if word.isascii() and word.isdigit() and len(word) < 19 else None
    return {
        "number": number,
        "digits": f"{word.upper()}*" if is_id else None,
        "word": None if number is not None else f"*{escaped}*" if plain else escaped,
    }


def read_chosen(db: sqlite3.Connection, *, after: int = 0, limit: int = PAGE) -> Page[CatalogRow]:
    """Return the chosen rows after a cursor."""
    rows = db.execute(
        "SELECT q.id, q.store_id, n.name, q.variant_id, q.key, q.status, q.sha256, q.set_id, v.url, s.error_code, "
        "s.error_message FROM chosen q JOIN stores n ON n.id = q.store_id LEFT JOIN variants v ON v.id = q.variant_id "
        "LEFT JOIN standings s ON s.store_id = q.store_id AND s.variant_id = q.variant_id "
        "WHERE q.id > ? ORDER BY q.id LIMIT ?",
        (after, limit),
    ).fetchall()
    about = _About(db, rows)
    return Page([about.row(row) for row in rows], rows[-1][0] if rows else after)


class _About:
    """What a page of rows has beside it in other tables, asked for once for the whole page."""

    def __init__(self, db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        ids = sorted({row[3] for row in rows if row[3] is not None}, key=str)
        several = f"IN ({marks(ids)})"
        self._objects = {
            row[:2]: row[2:]
            for row in db.execute(
                "SELECT store_id, variant_id, key, size, content_type, token, stored_at FROM objects "
                f"WHERE variant_id {several} ORDER BY stored_at",
                ids,
            )
        }
        self._fetches = _by(
            db,
            "SELECT variant_id, final_url, coalesce(seen_at, fetched_at), coalesce(seen_status, http_status), max(id) "
            f"FROM fetches WHERE variant_id {several} GROUP BY variant_id",
            ids,
        )
        of_sets = "FROM candidates c JOIN places p ON p.id = c.place_id JOIN image_sets i ON i.id = p.set_id"
        widths = f"SELECT DISTINCT variant_id, width FROM candidates WHERE variant_id {several} AND width IS NOT NULL ORDER BY width"
        rules = f"SELECT DISTINCT variant_id, rule FROM findings WHERE variant_id {several} ORDER BY rule"
        sets = f"SELECT DISTINCT c.variant_id, lower(hex(i.fingerprint)) {of_sets} WHERE c.variant_id {several} ORDER BY i.id"
        self._widths, self._rules, self._sets = (_grouped(db, query, ids) for query in (widths, rules, sets))
        digests = [row[6] for row in rows if row[6] is not None]
        blobs = f"SELECT sha256, size, format, width, height FROM blobs WHERE sha256 IN ({marks(digests)})"
        self._blobs = _by(db, blobs, digests)
        numbers = [row[7] for row in rows if row[7] is not None]
        self._places = _by(
            db,
            "SELECT p.set_id, lower(hex(i.fingerprint)), d.name, p.line, i.alt, i.context, d.columns, d.id, min(p.id) "
            "FROM places p JOIN image_sets i ON i.id = p.set_id JOIN documents d ON d.id = p.document_id "
            f"WHERE p.set_id IN ({marks(numbers)}) GROUP BY p.set_id",
            numbers,
        )
        # Two rows of a dataset may name one image: its id and caption are those of both.
        self._other_rows = {
            row[3]: db.execute(_OTHER_ROWS, (row[3], place[6], MOST_ROWS)).fetchall()
            for row in rows
            if (place := self._places.get(row[7])) is not None and place[5] is not None
        }
        query = "SELECT size, token FROM holdings WHERE store_id = ? AND key = ?"
        self._holdings = {
            (row[1], row[4]): db.execute(query, (row[1], row[4])).fetchone() for row in rows if row[4] is not None
        }

    def row(self, row: tuple[Any, ...]) -> CatalogRow:
        """Put one row together."""
        _, store_id, store, variant, key, status, sha256, number, url, code, message = row
        kept, size, kind, token, stored_at = self._objects.get((store_id, variant), (key, None, None, None, None))
        if key is not None:
            size, token = self._holdings[(store_id, key)]
        bytes_, *pixels = self._blobs.get(sha256, (None,) * 4)
        final_url, fetched_at, http_status, _ = self._fetches.get(variant, (None,) * 4)
        set_id, document, line, alt, context, columns, *_ = self._places.get(number, (None,) * 8)
        format_, width, height = pixels
        with rows_of("documents"):
            told = as_columns(columns)
            others = tuple([dict(as_columns(text) or {}) for (text,) in self._other_rows.get(variant, ())])
        seen: tuple[Any, ...] = (as_told(fetched_at), http_status, as_told(stored_at), number, set_id)
        seen += (tuple(self._sets[variant][:MOST_SETS]), document, line, alt, context, told, others)
        return CatalogRow(
            *(store, status, url, final_url, kept, tuple(self._widths[variant]), width, height, format_),
            *(size if size is not None else bytes_, sha256, kind, token, tuple(self._rules[variant]), code, message),
            *seen,
        )


def _by(db: sqlite3.Connection, query: str, values: Sequence[object]) -> dict[object, tuple[Any, ...]]:
    """Rows by their first column."""
    return {row[0]: row[1:] for row in db.execute(query, values)}


def _grouped(db: sqlite3.Connection, query: str, values: Sequence[object]) -> dict[object, list[Any]]:
    found: dict[object, list[Any]] = defaultdict(list)
    for variant, value in db.execute(query, values):
        found[variant].append(value)
    return found
