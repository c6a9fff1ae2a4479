"""What became of each variant when it was last wanted in a store: one row that outlives the work lists of runs."""

from __future__ import annotations

import sqlite3

from mediamirror.model import Outcome, Status
from mediamirror.redact import redact_text

_PUT = """
INSERT INTO standings (store_id, variant_id, run_id, status, sha256, error_code, error_message, settled_at)
VALUES (?,?,?,?,?,?,?,strftime('%Y-%m-%dT%H:%M:%SZ'))
"""


def put_standing(db: sqlite3.Connection, run_id: int, store_id: int, variant_id: int, outcome: Outcome) -> None:
    """Write down what became of a variant. Not being wanted this time changes nothing about what is known of it."""
    passed_over = outcome.status is Status.SKIPPED and outcome.sha256 is None
    error = outcome.error
    db.execute(
        f"{_PUT} ON CONFLICT DO NOTHING"
        if passed_over
        else f"{_PUT} ON CONFLICT DO UPDATE SET run_id = excluded.run_id, status = excluded.status, "
        "sha256 = coalesce(excluded.sha256, sha256), error_code = excluded.error_code, "
        "error_message = excluded.error_message, settled_at = excluded.settled_at",
        (
            *(store_id, variant_id, run_id, outcome.status, outcome.sha256),
            *((error.code, redact_text(error.message)) if error else (None, None)),
        ),
    )


def plan_retry(db: sqlite3.Connection, run_id: int, store_id: int, *, planned: bool) -> None:
    """Want exactly those variants that failed when they were last wanted; with ``planned`` only among the run's own.

    Only what a document still names is tried again: its places move to this run, as if the document had been read anew. The
    other variants of these sets keep what is known of them, so that the run tells of whole sets.
    """
    if planned:
        db.execute(
            "UPDATE items SET wanted = 0 WHERE run_id = :run AND NOT EXISTS (SELECT 1 FROM standings s "
            "WHERE s.store_id = :store AND s.variant_id = items.variant_id AND s.status = 'failed')",
            {"run": run_id, "store": store_id},
        )
    else:
        db.execute(
            "INSERT INTO items (run_id, variant_id, wanted) SELECT :run, s.variant_id, 1 FROM standings s "
            "WHERE s.store_id = :store AND s.status = 'failed' "
            "AND EXISTS (SELECT 1 FROM candidates c WHERE c.variant_id = s.variant_id)",
            {"run": run_id, "store": store_id},
        )
        db.execute(
            "UPDATE places SET run_id = :run WHERE set_id IN (SELECT p.set_id FROM items i "
            "JOIN candidates c ON c.variant_id = i.variant_id JOIN places p ON p.id = c.place_id WHERE i.run_id = :run)",
            {"run": run_id},
        )
        db.execute(
            "INSERT OR IGNORE INTO items (run_id, variant_id, wanted) SELECT DISTINCT :run, c.variant_id, 0 "
            "FROM places p JOIN candidates c ON c.place_id = p.id WHERE p.run_id = :run",
            {"run": run_id},
        )
    db.execute(
        "UPDATE items SET status = s.status, sha256 = s.sha256, error_code = s.error_code, error_message = s.error_message, "
        "key = (SELECT o.key FROM objects o INDEXED BY objects_by_variant "
        "WHERE o.variant_id = s.variant_id AND o.store_id = s.store_id "
        "ORDER BY o.stored_at DESC LIMIT 1) FROM standings s WHERE s.store_id = :store AND s.variant_id = items.variant_id "
        "AND items.run_id = :run AND items.wanted = 0",
        {"run": run_id, "store": store_id},
    )
