"""The catalog: what goes in comes out, merged and in order."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import DocumentRow, PlanRows, Run, begin_run, forget_runs, order_work, put_plan
from mediamirror.catalog.listing import Query, choose, read_chosen
from mediamirror.catalog.results import Record, put_outcomes, read_sets
from mediamirror.catalog.schema import MIGRATIONS
from mediamirror.catalog.story import read_story
from mediamirror.catalog.work import read_lanes, read_places, read_work
from mediamirror.errors import CatalogError
from mediamirror.model import (
    Body,
    Candidate,
    Download,
    Finding,
    ImageFacts,
    ImageSet,
    ItemError,
    Outcome,
    Passed,
    Reference,
    Severity,
    Source,
    Status,
    StoredObject,
    Variant,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def document(name: str) -> DocumentRow:
    return DocumentRow(name, "text/plain", None, "00" * 32, 1, NOW.isoformat())


def make_set(name: str, *urls: str, line: int = 1, width: int = 480) -> ImageSet:
    candidates = tuple(
        Candidate(url, (0, 1), width, reference=Reference(name, "img", "srcset", line, (10 * i, 10 * i + 5)))
        for i, url in enumerate(urls)
    )
    return ImageSet(name, line, (Source("img", candidates),), alt=f"alt of {name}")


def everything(image_set: ImageSet) -> tuple[ImageSet, frozenset[str]]:
    return image_set, frozenset(c.url for c in image_set.candidates)


def stored(url: str, **changes: object) -> Outcome:
    download = Download(url, url, 200, (("etag", '"1"'), ("x", "y")), Body(3, "ab" * 32, b"abc"), NOW, 0.5)
    facts = ImageFacts("webp", 480, 270, True, 1, "RGB", False, None, 1, False)
    values: dict[str, object] = {
        "variant": Variant(url), "status": Status.STORED, "final_url": url, "key": "k", "facts": facts,
        "size": 3, "sha256": "ab" * 32, "download": download, "fetched_bytes": 3,
    } | changes  # fmt: skip
    return Outcome(**values)  # type: ignore[arg-type]


async def add(catalog: Catalog, run: Run, name: str, sets: list[tuple[ImageSet, frozenset[str]]]) -> None:
    rows = PlanRows()
    planned = rows.begin(document(name))
    for image_set, wanted in sets:
        rows.add(planned, image_set, wanted)
    rows.end(planned, whole=True)
    await catalog.write(put_plan, run, rows)


async def plan(catalog: Catalog, documents: dict[str, list[ImageSet]]):
    run = await catalog.write(begin_run, "mirror", "./m", NOW.isoformat())
    for name, sets in documents.items():
        await add(catalog, run, name, [everything(each) for each in sets])
    return run, await catalog.write(order_work, run)


async def test_a_url_named_by_several_documents_is_one_variant_with_every_distinct_promise() -> None:
    async with await Catalog.open(None) as catalog:
        run, counts = await plan(
            catalog,
            {
                "a": [make_set("a", "https://h/1", "https://h/2")],
                "b": [make_set("b", "https://h/1", "https://h/3", width=500)],
                "c": [make_set("c", "https://h/1", "https://h/4")],
            },
        )
        assert counts == (3, 4, 4)
        items = {item.variant.url: item async for item in catalog.rows(read_work, run)}
        assert [(p.width, p.reference.document) for p in items["https://h/1"].variant.promises] == [
            (480, "a"),
            (500, "b"),
        ]


async def test_the_same_set_in_two_documents_is_one_set_with_two_places() -> None:
    async with await Catalog.open(None) as catalog:
        run, counts = await plan(catalog, {n: [make_set(n, "https://h/1", "https://h/2")] for n in ("a", "b")})
        assert counts == (1, 2, 2)
        results = [result async for result in catalog.rows(read_sets, run)]
        assert [(r.document, r.places, r.alt) for r in results] == [("a", 2, "alt of a")]


async def test_each_hosts_items_lie_in_a_row_in_the_queue() -> None:
    async with await Catalog.open(None) as catalog:
        sets = [make_set("a", *(f"https://{host}/{n}" for host in ("x", "y:8080"))) for n in range(3)]
        run, _ = await plan(catalog, {"a": sets})
        order = [item.variant.url.removeprefix("https://") async for item in catalog.rows(read_work, run)]
        assert order == ["x/0", "x/1", "x/2", "y:8080/0", "y:8080/1", "y:8080/2"]
        assert [lane async for lane in catalog.rows(read_lanes, run)] == [("x", 1, 3), ("y:8080", 4, 6)]
        found = await catalog.read(read_places, run, after=1, last=3, limit=9)
        assert [(place, item.variant.url) for place, item in found] == [(2, "https://x/1"), (3, "https://x/2")]
        assert [place for place, _ in await catalog.read(read_places, run, after=3, last=6, limit=2)] == [4, 5]


async def test_unwanted_variants_are_listed_apart() -> None:
    async with await Catalog.open(None) as catalog:
        run = await catalog.write(begin_run, "mirror", "./m", NOW.isoformat())
        await add(catalog, run, "a", [(make_set("a", "https://h/1", "https://h/2"), frozenset({"https://h/2"}))])
        assert await catalog.write(order_work, run) == (1, 2, 1)
        assert [i.variant.url async for i in catalog.rows(read_work, run)] == ["https://h/2"]
        assert [i.variant.url async for i in catalog.rows(read_work, run, wanted=False)] == ["https://h/1"]


async def test_the_next_run_knows_fetch_facts_and_object(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "c.sqlite"
    async with await Catalog.open(path) as catalog:
        run, _ = await plan(catalog, {"a": [make_set("a", "https://h/1")]})
        item = await anext(catalog.rows(read_work, run))
        there = StoredObject("k", 3, "ab" * 32, "image/webp", "token")
        await catalog.write(put_outcomes, run, [Record(item.variant_id, stored("https://h/1"), there)])
    async with await Catalog.open(path) as catalog:
        run, _ = await plan(catalog, {"a": [make_set("a", "https://h/1")]})
        known = await anext(catalog.rows(read_work, run))
    assert known.fetch is not None
    assert (known.fetch.etag, known.fetch.headers) == ('"1"', (("etag", '"1"'), ("x", "y")))
    assert known.fetch.facts == stored("https://h/1").facts
    assert [(o.key, o.sha256, o.token) for o in known.objects] == [("k", "ab" * 32, "token")]


async def test_an_object_belongs_to_the_store_it_was_put_into(tmp_path: Path) -> None:
    async with await Catalog.open(tmp_path / "c") as catalog:
        run, _ = await plan(catalog, {"a": [make_set("a", "https://h/1")]})
        item = await anext(catalog.rows(read_work, run))
        await catalog.write(put_outcomes, run, [Record(item.variant_id, stored("https://h/1"), StoredObject("k", 3))])
        other = await catalog.write(begin_run, "mirror", "s3://elsewhere", NOW.isoformat())
        await add(catalog, other, "a", [everything(make_set("a", "https://h/1"))])
        await catalog.write(order_work, other)
        assert (await anext(catalog.rows(read_work, other))).objects == ()


async def test_an_object_that_a_clock_ahead_has_dated_is_not_the_newest_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    for key in ("z-old", "a-new"):
        async with await Catalog.open(path) as catalog:
            run, _ = await plan(catalog, {"a": [make_set("a", "https://h/1")]})
            item = await anext(catalog.rows(read_work, run))
            record = Record(item.variant_id, stored("https://h/1", key=key), StoredObject(key, 3))
            await catalog.write(put_outcomes, run, [record])
        if key == "z-old":
            with sqlite3.connect(path) as db:
                db.execute("UPDATE objects SET stored_at = '2999-01-01T00:00:00Z'")
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT key FROM objects ORDER BY stored_at DESC").fetchall() == [("a-new",), ("z-old",)]


async def test_only_troubled_sets_are_listed_when_asked() -> None:
    async with await Catalog.open(None) as catalog:
        run, _ = await plan(catalog, {"a": [make_set("a", f"https://h/{n}") for n in range(3)]})
        finding = Finding("MM301", Severity.ERROR, "width", "https://h/1", Reference("a", "img", "srcset", 1))
        outcomes = {
            "https://h/0": stored("https://h/0"),
            "https://h/1": stored(
                "https://h/1", status=Status.REJECTED, findings=(finding,), error=ItemError("MM301", "w")
            ),
            "https://h/2": Outcome(Variant("https://h/2"), Status.FAILED, error=ItemError("http-status", "404")),
        }
        records = [Record(i.variant_id, outcomes[i.variant.url], None) async for i in catalog.rows(read_work, run)]
        await catalog.write(put_outcomes, run, records)
        troubled = [r async for r in catalog.rows(read_sets, run, troubled=True)]
        assert [(r.rows[0].url, r.rows[0].status, [f.rule for f in r.rows[0].findings]) for r in troubled] == [
            ("https://h/1", Status.REJECTED, ["MM301"]),
            ("https://h/2", Status.FAILED, []),
        ]
        assert not troubled[0].sound


async def test_a_document_read_again_replaces_what_it_held() -> None:
    async with await Catalog.open(None) as catalog:
        await plan(catalog, {"a": [make_set("a", "https://h/old")]})
        run, counts = await plan(catalog, {"a": [make_set("a", "https://h/new")]})
        assert counts == (1, 1, 1)
        assert [i.variant.url async for i in catalog.rows(read_work, run)] == ["https://h/new"]


async def test_a_width_beyond_64_bits_is_kept_as_the_largest_that_fits() -> None:
    async with await Catalog.open(None) as catalog:
        run, _ = await plan(catalog, {"a": [make_set("a", "https://h/1", width=10**30)]})
        assert (await anext(catalog.rows(read_work, run))).variant.declared_widths == (2**63 - 1,)


async def test_a_dry_run_leaves_no_file_and_no_row(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    async with await Catalog.open(path, dry_run=True) as catalog:
        await plan(catalog, {"a": [make_set("a", "https://h/1")]})
    assert not path.exists()
    async with await Catalog.open(path):
        pass
    async with await Catalog.open(path, dry_run=True) as catalog:
        await plan(catalog, {"a": [make_set("a", "https://h/1")]})
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM variants").fetchone() == (0,)


async def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"SQLite format 3\0" + b"junk" * 2000)
    with pytest.raises(CatalogError, match="is damaged"):
        await Catalog.open(path)


async def test_a_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    async with await Catalog.open(path):
        pass
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO migrations VALUES (999, '')")
    with pytest.raises(CatalogError, match="newer release"):
        await Catalog.open(path)


@pytest.mark.parametrize("table", ["cookies", "migrations(id INTEGER, name TEXT); CREATE TABLE cookies"])
async def test_a_database_of_another_program_is_refused_and_no_byte_of_it_changes(tmp_path: Path, table: str) -> None:
    path = tmp_path / "cookies.sqlite"
    with sqlite3.connect(path) as db:
        db.executescript(f"CREATE TABLE {table} (host TEXT);")
    before = path.read_bytes()
    with pytest.raises(CatalogError, match="of another program"):
        await Catalog.open(path)
    with pytest.raises(CatalogError, match="of another program"):
        await Catalog.open_existing(path, read_only=True)
    assert path.read_bytes() == before


async def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogError, match="--catalog"):
        await Catalog.open(tmp_path / "file" / "c.sqlite")


async def test_a_catalog_of_an_older_release_is_brought_up_to_date_with_how_each_variant_stands(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT")
        for version, script in MIGRATIONS[:3]:
            db.executescript(script)
            db.execute("INSERT INTO migrations VALUES (?, '')", (version,))
        db.execute("INSERT INTO stores VALUES (1, './m')")
        db.execute(
            "INSERT INTO runs VALUES (1, 'mirror', '2026-01-01', NULL, NULL), (2, 'mirror', '2026-01-02', NULL, NULL)"
        )
        for number, name in enumerate(("kept", "failed", "mended", "unwanted", "forgotten"), 1):
            db.execute("INSERT INTO variants VALUES (?, ?, 'h')", (number, f"https://h/{name}"))
        items = [(1, 1, "stored"), (2, 1, "skipped"), (1, 2, "stored"), (2, 2, "failed"), (1, 3, "failed"), (2, 3, "unchanged"),
                 (2, 4, "skipped")]  # fmt: skip
        db.executemany("INSERT INTO items (run_id, variant_id, wanted, status) VALUES (?,?,1,?)", items)
        db.executemany(
            "INSERT INTO objects VALUES (1, ?, ?, 'aa', 3, NULL, 't', '2026')", [("k1", 1), ("k3", 3), ("k5", 5)]
        )
    async with await Catalog.open_existing(path, read_only=True) as catalog:
        assert await catalog.read(choose, Query(store="./m")) == 5
        rows = [row async for row in catalog.rows(read_chosen)]
    assert [(row.url, row.status, row.key) for row in rows] == [
        ("https://h/kept", "stored", "k1"),
        ("https://h/failed", "failed", None),
        ("https://h/mended", "stored", "k3"),
        ("https://h/unwanted", "skipped", None),
        ("https://h/forgotten", "stored", "k5"),
    ]


async def test_a_catalog_is_read_beside_the_run_that_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    async with await Catalog.open(path) as writing:
        run, _ = await plan(writing, {"a": [make_set("a", "https://h/1")]})
        item = await anext(writing.rows(read_work, run))
        async with await Catalog.open_existing(path, read_only=True) as reading:
            assert await reading.read(choose, Query()) == 0
            await writing.write(
                put_outcomes, run, [Record(item.variant_id, stored("https://h/1"), StoredObject("k", 3))]
            )
            assert await reading.read(choose, Query()) == 0, "one state from beginning to end"
        async with await Catalog.open_existing(path, read_only=True) as reading:
            assert await reading.read(choose, Query()) == 1
        await writing.write(begin_run, "mirror", "./m", NOW.isoformat())


async def test_only_the_urls_that_pages_name_are_kept_whole(tmp_path: Path) -> None:
    url, signed = "https://me:hush@h/1?sig=hush", "https://cdn/1?X-Amz-Signature=hush"
    headers = (("set-cookie", "id=hush"), ("location", signed))
    download = Download(url, signed, 200, headers, None, NOW, 0.5, hops=(Passed(url, 302, headers),))
    finding = Finding("MM301", Severity.ERROR, f"Redirected to {signed}.", url, None, signed, signed)
    error = ItemError("http-status", f"{signed} is gone.")
    outcome = stored(url, status=Status.FAILED, download=download, findings=(finding,), error=error)
    async with await Catalog.open(tmp_path / "c.sqlite") as catalog:
        run, _ = await plan(catalog, {"a": [make_set("a", url)]})
        (item,) = [item async for item in catalog.rows(read_work, run)]
        await catalog.write(put_outcomes, run, [Record(item.variant_id, outcome, None)])
    with sqlite3.connect(tmp_path / "c.sqlite") as db:
        for table in ("fetches", "standings", "findings"):
            (row,) = db.execute(f"SELECT * FROM {table}").fetchall()
            told = repr(row).replace(url, "")  # the page's own
            assert "hush" not in told, table
            assert "http-status" in told or table == "findings"
        assert db.execute("SELECT host FROM variants").fetchone() == ("h",)
        assert db.execute("SELECT declared FROM findings").fetchone() == ("https://cdn/1?X-Amz-Signature=***",)


LATER = NOW + timedelta(days=1)


def answered(status: int, url: str = "https://h/1", at: datetime = LATER, **changes: object) -> Outcome:
    """What a run finds that asks again: the same bytes, unless ``changes`` say otherwise."""
    headers = (("etag", '"2"'), ("x", "z"))
    download = Download(url, url, status, headers, None, at)
    return stored(url, status=Status.UNCHANGED, download=download, fetched_bytes=0 if status == 304 else 3, **changes)


async def asked(catalog: Catalog, *outcomes: Outcome, name: str = "a") -> list[Run]:
    """Let one run after another ask for a URL."""
    runs = []
    for outcome in outcomes:
        run, _ = await plan(catalog, {name: [make_set(name, outcome.variant.url)]})
        (item,) = [item async for item in catalog.rows(read_work, run)]
        await catalog.write(put_outcomes, run, [Record(item.variant_id, outcome, StoredObject("k", 3))])
        runs.append(run)
    return runs


@pytest.mark.parametrize("status", [304, 200])
async def test_an_image_that_did_not_change_adds_no_row_and_is_known_as_seen_later(status: int) -> None:
    async with await Catalog.open(None) as catalog:
        runs = await asked(catalog, stored("https://h/1"), answered(status), answered(status, at=LATER + timedelta(1)))
        assert await catalog.read(lambda db: db.execute("SELECT count(*) FROM fetches").fetchone()) == (1,)
        (item,) = [item async for item in catalog.rows(read_work, runs[-1])]
        fetch = item.fetch
        assert fetch is not None
        assert (fetch.fetched_at, fetch.run_id, fetch.etag, fetch.http_status) == (
            LATER + timedelta(1),
            runs[-1].id,
            '"2"',
            200,
        )
        story = await catalog.read(read_story, "https://h/1", None)
        rows = story.variants[0].fetches.rows
        assert [(row["fetched_at"][:10], row["http_status"], row["received"]) for row in rows] == [
            ("2026-11-26", status, 0 if status == 304 else 3),
            ("2026-11-24", 200, 3),
        ]
        await catalog.read(choose, Query())
        (row,) = [row async for row in catalog.rows(read_chosen)]
        assert (row.fetched_at, row.http_status) == ("2026-11-26T00:00:00Z", status)


async def test_the_same_failure_again_and_again_is_one_row_and_another_failure_is_one_more() -> None:
    def failing(code: str, status: int) -> Outcome:
        return Outcome(Variant("https://h/1"), Status.FAILED, error=ItemError(code, "No.", status))

    gone, down = failing("http-status", 404), failing("http-status", 503)
    async with await Catalog.open(None) as catalog:
        await asked(catalog, stored("https://h/1"), gone, gone, gone, down, gone, answered(304))
        rows = await catalog.read(lambda db: db.execute("SELECT http_status, seen_status FROM fetches").fetchall())
    assert rows == [(200, 200), (404, 404), (503, 503), (404, 404), (304, 304)]


async def test_a_run_in_which_nothing_changed_does_not_make_the_file_larger(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    sizes = []
    urls = [f"https://h/{number:04}" for number in range(1000)]
    for number in range(4):
        async with await Catalog.open(path) as catalog:
            run, _ = await plan(catalog, {"a": [make_set("a", *urls)]})
            outcomes = (stored(url) if number == 0 else answered(304, url) for url in urls)
            items = {item.variant.url: item.variant_id async for item in catalog.rows(read_work, run)}
            records = [Record(items[o.variant.url], o, StoredObject(o.variant.url, 3)) for o in outcomes]
            await catalog.write(put_outcomes, run, records)
        sizes.append(path.stat().st_size)
    assert sizes[1] - sizes[0] <= sizes[0] * 0.06, "room for the words in which it is now told"
    assert len(set(sizes[1:])) == 1


async def test_history_is_forgotten_but_for_what_the_next_run_asks_with_and_what_stored_bytes_came_from() -> None:
    old = stored("https://h/1", sha256="cd" * 32)
    refused = Outcome(Variant("https://h/1"), Status.FAILED, error=ItemError("http-status", "No.", 404))
    async with await Catalog.open(None) as catalog:
        await asked(catalog, old, stored("https://h/1"), refused, stored("https://h/2"), refused)
        await catalog.write(begin_run, "sync", "./m", NOW.isoformat())
        assert await catalog.write(forget_runs, 9) == {"exchanges": 0, "runs": 0, "blobs": 0}
        assert await catalog.write(forget_runs, 1) == {"exchanges": 1, "runs": 4, "blobs": 1}
        rows = await catalog.read(lambda db: db.execute("SELECT run_id, seen_run, http_status FROM fetches").fetchall())
        runs = await catalog.read(lambda db: db.execute("SELECT id FROM runs").fetchall())
    assert (rows, runs) == ([(2, 2, 200), (3, 5, 404), (4, 4, 200)], [(5,), (6,)])
