"""Everything that the catalog knows of one thing: a URL, a key, or bytes by their sha256."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from mediamirror.catalog.catalog import as_headers, as_hops, as_told, marks, rows_of
from mediamirror.catalog.ingest import find_store
from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass

SHORTEST_DIGEST = 6
MOST = 50
"""Rows of one kind that a story holds; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one kind, the newest or first ones, and how many there are in all."""

    rows: tuple[dict[str, Any], ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class VariantStory:
    """One URL: who names it and with which promise, every exchange with its origin, findings, how it stands in each store."""

    url: str
    host: str
    named_by: Part
    fetches: Part
    findings: Part
    standings: Part
    rewritten: Part
    """Pages that `rewrite` made to point at the mirror for it."""


@dataclass(frozen=True, slots=True)
class Story:
    """What a word turned out to mean: ``kind`` is ``url``, ``key`` or ``sha256``."""

    kind: str
    word: str
    variants: tuple[VariantStory, ...]
    objects: Part
    blobs: tuple[dict[str, Any], ...]


def read_story(db: sqlite3.Connection, word: str, store: str | None) -> Story:
    """Find what ``word`` names, and all that is known of it. Raises `UsageError` for a word that names nothing, or several."""
    kind, ids, keys, digests = _resolve(db, word, store)
    chosen = ids[:MOST]
    variants = tuple(_variant(db, each) for each in chosen)
    objects = _objects(db, chosen, keys, store)
    seen = {row["sha256"] for row in objects.rows} | set(digests)
    seen |= {row["sha256"] for each in variants for row in each.fetches.rows}
    known = sorted(sha for sha in seen if sha)
    blobs = _rows(db, f"SELECT * FROM blobs WHERE sha256 IN ({marks(known)})", known)
    return Story(kind, word, variants, objects, tuple(blobs))


def _resolve(
    db: sqlite3.Connection, word: str, store: str | None
) -> tuple[str, list[int], list[tuple[int, str]], list[str]]:
    """Return what the word is, with the variants, the objects and the bytes that it means."""
    row = db.execute("SELECT id FROM variants WHERE url = ?", (word,)).fetchone()
    if row is not None:
        return "url", [row[0]], [], []
    of_key = _objects_where(db, "key = ?", word, store)
    if of_key:
        return "key", _variants_of(db, of_key), of_key, []
    digest = _digest(db, word.lower())
    if digest is None:
        raise UsageError(
            f"The catalog knows no {word!r}: give a URL as the page has it, a key, or the first {SHORTEST_DIGEST} or more "
            "digits of a sha256. `mediamirror catalog ls` lists them."
        )
    of_bytes = _objects_where(db, "sha256 = ?", digest, store)
    fetched = db.execute("SELECT DISTINCT variant_id FROM fetches WHERE sha256 = ? LIMIT ?", (digest, MOST)).fetchall()
    return "sha256", sorted({*_variants_of(db, of_bytes), *(row[0] for row in fetched)}), of_bytes, [digest]


def _digest(db: sqlite3.Connection, word: str) -> str | None:
    if len(word) < SHORTEST_DIGEST or len(word) > 64 or not all(sign in "0123456789abcdef" for sign in word):
        return None
    found: set[str] = set()
    for table in ("blobs", "objects", "holdings"):
        query = f"SELECT DISTINCT sha256 FROM {table} WHERE sha256 GLOB ? ORDER BY sha256 LIMIT 11"
        found.update(row[0] for row in db.execute(query, (f"{word}*",)))
    if len(found) > 1:
        shown = sorted(found)
        more = "" if len(shown) <= 10 else ", and more"
        raise UsageError(
            f"{word} begins more than one sha256: {', '.join(shown[:10])}{more}. Give more digits of the one you mean."
        )
    return found.pop() if found else None


def _objects_where(db: sqlite3.Connection, condition: str, word: str, store: str | None) -> list[tuple[int, str]]:
    query = f"SELECT store_id, key FROM objects WHERE {condition} UNION SELECT store_id, key FROM holdings WHERE {condition}"
    rows = db.execute(query, (word, word)).fetchall()
    if store is None:
        return rows
    place = find_store(db, store)
    return [row for row in rows if row[0] == place]


def _variants_of(db: sqlite3.Connection, objects: Sequence[tuple[int, str]]) -> list[int]:
    query = "SELECT variant_id FROM objects WHERE store_id = ? AND key = ?"
    return sorted({row[0] for pair in objects[:MOST] for row in db.execute(query, pair)})


_EXCHANGES = """
SELECT iif(later, seen_at, fetched_at) AS fetched_at, iif(later, seen_status, http_status) AS http_status, final_url, redirects,
    headers, iif(later, NULL, seconds) AS seconds, iif(later AND seen_status = 304, 0, received) AS received, sha256,
    error_code, error_message
FROM fetches JOIN (SELECT 0 AS later UNION ALL SELECT 1) ON NOT later OR seen_run <> run_id
WHERE variant_id = ? ORDER BY id DESC, later DESC
"""
"""A row tells of its first exchange, and of the last one that showed the same."""


_OF_VARIANT = {
    "named_by": """
SELECT d.name AS document, c.line, c.carrier, c.attribute, c.width, c.density, c.media, c.mime, c.sizes,
    i.id AS set_number, lower(hex(i.fingerprint)) AS set_id, i.alt, i.context, d.read_at FROM candidates c
JOIN places p ON p.id = c.place_id JOIN documents d ON d.id = p.document_id
JOIN image_sets i ON i.id = p.set_id WHERE c.variant_id = ? ORDER BY c.id
""",
    "standings": """
SELECT n.name AS store, s.status, s.error_code, s.error_message, s.settled_at FROM standings s
JOIN stores n ON n.id = s.store_id WHERE s.variant_id = ? ORDER BY s.store_id
""",
    "findings": "SELECT rule, severity, message, document, line, declared, actual FROM findings WHERE variant_id = ? ORDER BY id",
    "fetches": _EXCHANGES,
    "rewritten": """
SELECT r.document, r.output, w.address, n.name AS store, r.rewritten_at FROM rewritten w
JOIN rewrites r ON r.id = w.rewrite_id JOIN stores n ON n.id = r.store_id WHERE w.variant_id = ? ORDER BY r.id
""",
}
"""The parts of `VariantStory`."""


def _variant(db: sqlite3.Connection, variant: int) -> VariantStory:
    with rows_of("variants"):
        url, host = db.execute("SELECT url, host FROM variants WHERE id = ?", (variant,)).fetchone()
    parts = {name: _part(db, query, variant) for name, query in _OF_VARIANT.items()}
    with rows_of("fetches"):
        for row in parts["fetches"].rows:
            row["headers"], row["redirects"] = as_headers(row["headers"]), as_hops(row["redirects"])
    return VariantStory(url, host, **parts)


def _objects(db: sqlite3.Connection, ids: list[int], keys: list[tuple[int, str]], store: str | None) -> Part:
    pairs = {*keys[:MOST]}
    query = f"SELECT DISTINCT store_id, key FROM objects WHERE variant_id IN ({marks(ids)}) LIMIT {MOST}"
    pairs |= {(row[0], row[1]) for row in db.execute(query, ids)}
    rows: list[dict[str, Any]] = []
    for pair in sorted(pairs):
        rows += _rows(
            db,
            "SELECT n.name AS store, o.key, o.sha256, o.size, o.content_type, o.token, o.stored_at, "
            "nullif(o.source_sha256, o.sha256) AS stripped_from FROM objects o "
            "JOIN stores n ON n.id = o.store_id WHERE o.store_id = ? AND o.key = ? GROUP BY o.sha256, o.token UNION ALL "
            "SELECT n.name, h.key, h.sha256, h.size, NULL, h.token, NULL, NULL FROM holdings h JOIN stores n ON n.id = h.store_id "
            "WHERE h.store_id = ? AND h.key = ? AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.store_id = h.store_id "
            "AND o.key = h.key AND o.sha256 IS h.sha256 AND o.token IS h.token)",
            (*pair, *pair),
        )
    rows = [row for row in rows if store is None or row["store"] == store]
    return Part(tuple(rows), max(len(keys), len(rows)))


def _part(db: sqlite3.Connection, query: str, variant: int) -> Part:
    total = db.execute(f"SELECT count(*) FROM ({query})", (variant,)).fetchone()[0]
    return Part(tuple(_rows(db, f"{query} LIMIT {MOST}", (variant,))), total)


def _rows(db: sqlite3.Connection, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
    cursor = db.execute(query, values)
    names = [column[0] for column in cursor.description]
    rows = (dict(zip(names, row, strict=True)) for row in cursor)
    return [{name: as_told(value) if name.endswith("_at") else value for name, value in row.items()} for row in rows]
