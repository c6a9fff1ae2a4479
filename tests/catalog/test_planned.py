"""The plan as rows: written together or one by one they are the same, and the last document costs no more than the first."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from mediamirror.catalog.adoption import put_manifest_sets
from mediamirror.catalog.catalog import PAGE, Page, connect
from mediamirror.catalog.ingest import DocumentRow, PlanRows, Run, begin_run, order_work, put_plan, store_id
from mediamirror.catalog.manifest import put_published, read_new
from mediamirror.catalog.results import Record, put_fetches, put_outcomes, read_sets
from mediamirror.catalog.stored_sets import put_holdings, read_mirrored
from mediamirror.catalog.work import WorkItem, read_places
from mediamirror.model import Candidate, Download, Held, ImageSet, Outcome, Reference, Source, Status, StoredObject

T = TypeVar("T")
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
            rows.add(document, each, frozenset(candidate.url for candidate in each.candidates) - {"https://h/2"})
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


def stored(item: WorkItem) -> Record:
    url, key = item.variant.url, item.variant.url.removeprefix("https://")
    download = Download(url, url, 200, (("etag", '"1"'),), None, datetime(2026, 11, 30, tzinfo=UTC), 0.1)
    sha256 = hashlib.sha256(url.encode()).hexdigest()
    outcome = Outcome(item.variant, Status.STORED, url, key, size=3, sha256=sha256, download=download)
    return Record(item.variant_id, outcome, StoredObject(key, 3, sha256, "image/webp", "token"))


def a_run(db: sqlite3.Connection, count: int) -> None:
    """Plan so many documents with an image each, and record what became of them, a few at a time."""
    run = begin_run(db, "mirror", "./m", "")
    pages = {f"rows:{at}": [image_set("rows", f"https://h/{at}")] for at in range(count)}
    planned(db, run, pages, together=False)
    order_work(db, run)
    for after in range(0, count, 20):
        items = [item for _, item in read_places(db, run, after=after, last=count, limit=20)]
        records = [stored(item) for item in items]
        put_fetches(db, run, records)
        put_outcomes(db, run, records)
    assert len(read_sets(db, run).rows) == PAGE


def what_follows(db: sqlite3.Connection) -> None:
    """Read and write what a manifest, a scrub, a sync and a rebuild do of all that there is, page by page."""
    place = store_id(db, "./m")
    pages(partial(read_mirrored, db, "./m"))
    told = pages(partial(read_new, db, place, limit=20))
    put_holdings(db, {place: [Held(row.key, row.sha256, row.size, row.token) for row in told]})
    assert len(pages(partial(read_new, db, place, limit=20))) == len(told)
    put_published(db, place, objects=[(row.key, row.sha256, row.token or "") for row in told])
    assert pages(partial(read_new, db, place, limit=20)) == []
    sets = [
        {
            "id": hashlib.sha256(b"%d" % at).hexdigest()[:32],
            "document": "list",
            "line": at,
            "objects": [{"url": f"https://h/{at}"}],
        }
        for at in range(len(told))
    ]
    put_manifest_sets(db, store_id(db, "./n"), 9, sets)


def pages(read: Callable[..., Page[T]]) -> list[T]:
    rows: list[T] = []
    page = read()
    while page.rows:
        rows += page.rows
        page = read(after=page.after)
    return rows


def test_an_image_costs_no_more_when_there_are_many_besides_it() -> None:
    def steps(count: int) -> list[int]:
        db, done, told = connect(None), [0], []
        db.set_progress_handler(lambda: done.__setitem__(0, done[0] + 1), 100)
        for _ in range(2):  # the second time everything is there already
            a_run(db, count)
            told.append(done[0])
        what_follows(db)
        told.append(done[0])
        return told

    few, many = steps(300), steps(1_800)
    assert all(after < 6 * before * 1.3 for before, after in zip(few, many, strict=True)), (few, many)
