"""The plan as rows: written together or one by one they are the same, and the last document costs no more than the first."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from mediamirror.catalog.connection import connect
from mediamirror.catalog.ingest import Run, begin_run, order_work
from mediamirror.catalog.planned import DocumentRow, PlanRows, put_plan
from mediamirror.model import Candidate, ImageSet, Reference, Source

TABLES = ("documents", "image_sets", "places", "candidates", "variants", "items")


def image_set(document: str, *urls: str, alt: str | None = None, places: Sequence[int] = ()) -> ImageSet:
    candidates = tuple(Candidate(url, (0, 1), 480 + at) for at, url in enumerate(urls))
    others = tuple(Reference(document, "img", "src", line) for line in places)
    return ImageSet(document, 1, (Source("img", candidates),), alt=alt, places=others)


PAGES = {
    "a": [image_set("a", "https://h/1", "https://h/2"), image_set("a", "https://x:8080/3", places=(5, 9))],
    "b": [image_set("b", "https://h/2", "https://h/1", alt="said later"), image_set("b", "https://h/4")],
    "c": [],
}


def planned(db: sqlite3.Connection, run: Run, pages: dict[str, list[ImageSet]], *, together: bool) -> None:
    rows = PlanRows()
    for name, sets in pages.items():
        document = rows.begin(DocumentRow(name, None, None, "", 1, ""))
        for each in sets:
            rows.add(document, each, frozenset({"https://h/1"}))
            if not together:
                put_plan(db, run, rows)
                rows.clear()
        rows.end(document, whole=True)
    put_plan(db, run, rows)


def test_rows_that_are_written_together_are_those_that_are_written_one_by_one() -> None:
    told = []
    for together in (True, False):
        db = connect(None)
        for at in range(2):  # the second run finds all of it there
            planned(db, begin_run(db, "mirror", "./m", str(at)), PAGES, together=together)
        told.append([db.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES])
    for tables in told:
        for at in (TABLES.index("candidates"), TABLES.index("places")):
            tables[at] = [row[2:] for row in tables[at]]  # the numbers of rows that were replaced may differ
    assert told[0] == told[1]
    assert [row[2] for row in told[0][TABLES.index("image_sets")]] == ["said later", None, None]
    assert len(told[0][TABLES.index("candidates")]) == 6


def test_a_document_costs_no_more_when_many_have_been_planned() -> None:
    def steps(count: int) -> int:
        db, done = connect(None), [0]
        run = begin_run(db, "mirror", "./m", "")
        pages = {f"rows:{at}": [image_set("rows", f"https://h/{at}")] for at in range(count)}
        db.set_progress_handler(lambda: done.__setitem__(0, done[0] + 1), 100)
        planned(db, run, pages, together=False)
        order_work(db, run)
        return done[0]

    assert steps(1_600) < 8 * steps(200) * 1.3
