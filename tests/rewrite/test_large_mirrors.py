"""What a page costs does not depend on how much the mirror holds."""

from __future__ import annotations

import sqlite3

import pytest

from mediamirror.catalog.rewriting import read_keys, read_known, read_standings
from mediamirror.catalog.schema import MIGRATIONS

URLS = [f"https://a.example/{number}.webp" for number in range(20)]


def catalog(objects: int) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    for _, script in MIGRATIONS:
        db.executescript(script)
    db.execute("INSERT INTO stores (id, name) VALUES (1, 'here')")
    numbers = [(number, f"{number}.webp") for number in range(objects)]
    db.executemany("INSERT INTO variants (id, url, host) VALUES (?, 'https://a.example/' || ?, 'a.example')", numbers)
    db.executemany(
        "INSERT INTO standings (store_id, variant_id, run_id, status, settled_at) VALUES (1, ?, 1, 'stored', ?)",
        numbers,
    )
    db.executemany(
        "INSERT INTO objects (store_id, variant_id, key, sha256, size, stored_at) VALUES (1, ?, ?, 'aa', 1, '2026')",
        numbers,
    )
    db.executemany(
        "INSERT INTO documents (name, sha256, size, read_at) VALUES (?, ?, 1, '2026')",
        [(f"p{n}", str(n)) for n, _ in numbers],
    )
    return db


def steps(db: sqlite3.Connection, query: str) -> int:
    """How many instructions of SQLite's machine a query takes."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    db.set_progress_handler(step, 1)
    if query == "standings":
        assert len(read_standings(db, 1, URLS)) == len(URLS)
    elif query == "keys":
        assert len(read_keys(db, 1, [f"{number}.webp" for number in range(20)])) == 20
    else:
        assert read_known(db, "another name", "7") is not None
    return count


@pytest.mark.parametrize("query", ["standings", "keys", "documents"])
def test_a_page_is_looked_up_in_as_many_steps_however_much_there_is(query: str) -> None:
    assert steps(catalog(5_000), query) < 1.5 * steps(catalog(50), query)
