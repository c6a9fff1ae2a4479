"""The exchange with the origin that gave a variant's bytes, as an archive wants it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from mediamirror.redact import lasting_headers

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange. ``hops`` are the answers that led on to ``final_url``: URL, status, headers; None where not recorded."""

    fetched_at: datetime
    final_url: str
    status: int
    headers: Headers
    hops: tuple[tuple[str, int, Headers], ...] | None


def read_exchange(db: sqlite3.Connection, url: str, sha256: str) -> Exchange | None:
    """Return the newest exchange in which these bytes came whole (a 304 tells only that they are still the same)."""
    row = db.execute(
        "SELECT f.fetched_at, f.final_url, f.http_status, f.headers, f.redirects FROM fetches f "
        "JOIN variants v ON v.id = f.variant_id WHERE v.url = ? AND f.sha256 = ? AND f.http_status <> 304 "
        "ORDER BY f.id DESC LIMIT 1",
        (url, sha256),
    ).fetchone()
    if row is None:
        return None
    at, final_url, status, headers, redirects = row
    hops = (
        None
        if redirects is None
        else tuple((hop[0], hop[1], tuple(lasting_headers(hop[2]))) for hop in json.loads(redirects))
    )
    return Exchange(
        datetime.fromisoformat(at), final_url or url, status, tuple(lasting_headers(json.loads(headers or "[]"))), hops
    )


def was_stripped(db: sqlite3.Connection, store: str, key: str, sha256: str) -> bool:
    """Whether an object is recorded as made from other bytes than the origin gave."""
    row = db.execute(
        "SELECT 1 FROM objects o JOIN stores s ON s.id = o.store_id "
        "WHERE s.name = ? AND o.key = ? AND o.sha256 = ? AND o.source_sha256 <> o.sha256",
        (store, key, sha256),
    ).fetchone()
    return row is not None
