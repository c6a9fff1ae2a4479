"""The tables of the catalog, as the numbered migrations of ``schema.sql``. Each is applied once, in one transaction with its record.

Times are ISO 8601 in UTC. Booleans are 0 and 1. ``span_*`` are byte offsets in the document.

    documents ─< places >─ image_sets        a set found in several places is one row
    places ─< candidates >─ variants         one URL, one variant, however many sets name it
    variants ─< fetches >─ blobs             what an origin gave, and when it was last found so; what the bytes are
    stores ─< objects >─ blobs               where they lie now
    stores ─< holdings                       any object or file whose bytes `sync` or `check` has read, by change token
    stores ─< published                      what the manifest in the store says of its objects and sets
    runs ─< findings
    stores ─< standings >─ variants          what became of each variant when it was last wanted there
    rewrites ─< rewritten >─ variants        which page was rewritten to point into which store, and which of its URLs moved

A run has its work list beside these, `WORK_LIST`: temporary tables that go with the connection.

``fetches``: an exchange that shows what the one before it did adds no row; ``seen_at``, ``seen_run`` and ``seen_status`` are of
the last such one, and of the row's own exchange where it was the only one. ``redirects`` is JSON,
``[[url, status, [[name, value], ...]], ...]``, each answer that led on to the final URL; NULL in rows written before it was recorded.
"""

from __future__ import annotations

import re
from pathlib import Path

from mediamirror.first_use import pattern

_PARTS = pattern(r"^-- migration ([0-9]+)\n", re.MULTILINE).split(
    Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
)
MIGRATIONS: tuple[tuple[int, str], ...] = tuple(zip(map(int, _PARTS[1::2]), _PARTS[2::2], strict=True))
"""The number of each, and its statements."""
NEWEST = MIGRATIONS[-1][0]

WORK_LIST = (
    """
CREATE TEMP TABLE IF NOT EXISTS items (
    run_id INTEGER NOT NULL,
    variant_id INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    position INTEGER,
    status TEXT,
    key TEXT,
    sha256 TEXT,
    error_code TEXT,
    error_message TEXT,
    PRIMARY KEY (run_id, variant_id)
) STRICT, WITHOUT ROWID;
""",
    "CREATE TEMP TABLE IF NOT EXISTS named_sets (run_id INTEGER, mark ANY, PRIMARY KEY (run_id, mark)) STRICT, WITHOUT ROWID;",
)
"""The variants of a run, and what became of each: `ingest.order_work` adds the index on their places, when they have some. And the
sets of a plan that keeps nothing else of them, to count them: the variant of a set of one, the fingerprint of another."""

NATURAL_SIZE = (
    "iif(b.orientation BETWEEN 5 AND 8, coalesce(b.corrected_height, b.height), coalesce(b.corrected_width, b.width)), "
    "iif(b.orientation BETWEEN 5 AND 8, coalesce(b.corrected_width, b.width), coalesce(b.corrected_height, b.height))"
)
"""`ImageFacts.natural` of a blob ``b``, as two columns."""
