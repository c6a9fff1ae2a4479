"""The manifest: immutable segments, the newest row per key wins."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import store_id
from mediamirror.catalog.manifest import read_new
from mediamirror.catalog.stored_sets import drop_holdings, is_new_here, put_holdings, read_expected, read_holdings
from mediamirror.errors import ObjectCorrupt, StoreDenied
from mediamirror.jobs.run.manifest import (
    SEGMENTS,
    adopt,
    load_manifest,
    read_segments,
    segment_name,
    set_row,
    write_segment,
)
from mediamirror.model import Body, Held, ItemError, SetResult, SetRow, Status
from mediamirror.store.base import ObjectAttributes
from mediamirror.store.memory import MemoryStore

AT = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)


@pytest.fixture
async def catalog() -> AsyncIterator[Catalog]:
    async with await Catalog.open(None) as opened:
        yield opened


async def tell(catalog: Catalog, store: MemoryStore, *rows: Held, seconds: int = 0) -> int:
    place = await catalog.write(store_id, "here")
    await catalog.write(put_holdings, {place: rows})
    assert await write_segment(catalog, store, place, at=AT + timedelta(seconds=seconds)) is None
    return place


async def segments(store: MemoryStore) -> list[str]:
    return [row.key async for row in store.list(SEGMENTS)]


async def rows(store: MemoryStore) -> list[tuple[str, str, Any]]:
    return [(row["type"], row.get("key"), row.get("sha256")) async for row in read_segments(store)]


async def test_a_run_that_changed_something_adds_one_segment_and_any_other_none(catalog: Catalog) -> None:
    store = MemoryStore()
    await tell(catalog, store, Held("a", "1", 5, "t"), Held("b", "2", 5, "t"))
    await tell(catalog, store, seconds=1)
    assert (len(await segments(store)), await rows(store)) == (1, [("object", "a", "1"), ("object", "b", "2")])


async def test_a_change_and_a_deletion_are_new_segments_and_the_old_one_stays(catalog: Catalog) -> None:
    store = MemoryStore()
    place = await tell(catalog, store, Held("a", "1", 5, "t"), Held("b", "2", 5, "t"))
    first = await segments(store)
    await catalog.write_durably(drop_holdings, place, ["b"])
    await tell(catalog, store, Held("a", "9", 5, "t2"), seconds=1)
    assert (await segments(store))[:1] == first
    assert (await rows(store))[2:] == [("object", "a", "9"), ("deleted", "b", None)]


async def test_a_new_catalog_learns_from_the_bucket_what_lies_there_now(catalog: Catalog) -> None:
    store = MemoryStore()
    place = await tell(catalog, store, Held("a", "1", 5, "t"), Held("b", "2", 5, "t"))
    await catalog.write_durably(drop_holdings, place, ["b"])
    await tell(catalog, store, Held("a", "9", 6, "t2"), seconds=1)
    async with await Catalog.open(None) as other:
        there = await other.write(store_id, "there")
        assert await other.read(is_new_here, there)
        await adopt(other, store, there)
        assert [h async for page in other.pages(read_holdings, there) for h in page] == [Held("a", "9", 6, "t2")]
        assert await write_segment(other, store, there, at=AT) is None
    assert len(await segments(store)) == 2


async def test_what_the_store_refused_is_said_by_the_next_run(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    place = await catalog.write(store_id, "here")
    await catalog.write(put_holdings, {place: [Held("a", "1", 5, "t")]})

    async def refuse(*_: object) -> None:
        raise StoreDenied("no")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "put", refuse)
        problem = await write_segment(catalog, store, place, at=AT)
    assert (problem.code if problem else None, await segments(store)) == ("manifest-not-written", [])
    await tell(catalog, store)
    assert await rows(store) == [("object", "a", "1")]


async def test_names_of_segments_sort_by_time_and_are_never_the_same() -> None:
    names = [segment_name(AT + timedelta(milliseconds=n)) for n in range(20)]
    assert (names, segment_name(AT) != segment_name(AT)) == (sorted(names), True)


@pytest.mark.parametrize("damage", ["cut", "flipped", "no json", "no key"])
async def test_a_damaged_segment_is_named_and_nothing_is_made_of_it(damage: str) -> None:
    good = json.dumps({"type": "object", "key": "a", "sha256": "1", "size": 1, "token": "t"}) + "\n"
    text = {"no json": good + "{\n", "no key": good + '{"type":"object"}\n'}.get(damage, good * 50)
    data = gzip.compress(text.encode())
    data = {"cut": data[:-9], "flipped": data[:20] + bytes([data[20] ^ 255]) + data[21:]}.get(damage, data)
    store = MemoryStore()
    body = Body(len(data), hashlib.sha256(data).hexdigest(), data=data)
    await store.put(f"{SEGMENTS}x.jsonl.gz", body, ObjectAttributes("application/gzip"))
    with pytest.raises(ObjectCorrupt, match=r"x\.jsonl\.gz is damaged"):
        _ = [row async for row in read_segments(store)]


def result(*rungs: SetRow) -> SetResult:
    return SetResult("page.html", 3, rungs)


STORED = SetRow("https://h/480", declared_width=480, status=Status.STORED, key="h/480")
FAILED = SetRow("https://h/960", declared_width=960, status=Status.FAILED, error=ItemError("http-status", "404"))
UNWANTED = SetRow("https://h/1920", declared_width=1920, status=Status.SKIPPED)


@pytest.mark.parametrize(
    ("rungs", "status", "missing"),
    [
        ((STORED,), "whole", []),
        ((STORED, UNWANTED), "whole", []),
        ((STORED, FAILED), "partial", [("https://h/960", "http-status")]),
        ((STORED, SetRow("https://h/960")), "partial", [("https://h/960", "not reached")]),
    ],
)
def test_a_set_with_a_hole_is_never_called_whole(
    rungs: tuple[SetRow, ...], status: str, missing: list[tuple[str, str]]
) -> None:
    row = set_row(result(*rungs))
    assert (row["status"], [(m["url"], m["reason"]) for m in row["missing"]]) == (status, missing)
    assert [rung["key"] for rung in row["objects"]] == ["h/480"]


async def test_a_new_catalog_that_found_everything_itself_does_not_say_it_again(catalog: Catalog) -> None:
    store = MemoryStore()
    await tell(catalog, store, Held("a", "1", 5, "t"))
    async with await Catalog.open(None) as other:
        await tell(other, store, Held("a", "1", 5, "t"), seconds=1)
        await tell(other, store, Held("a", "2", 5, "t2"), seconds=2)
    assert await rows(store) == [("object", "a", "1"), ("object", "a", "2")]


async def test_a_new_catalog_does_not_call_gone_what_only_another_machine_knows(catalog: Catalog) -> None:
    store = MemoryStore()
    await tell(catalog, store, Held("a", "1", 5, "t"))
    async with await Catalog.open(None) as other:
        await tell(other, store, Held("b", "2", 5, "t"), seconds=1)
        await tell(other, store, Held("b", "3", 5, "t3"), seconds=2)
    assert await rows(store) == [("object", "a", "1"), ("object", "b", "2"), ("object", "b", "3")]


OBJECT = {"type": "object", "key": "a/b.webp", "sha256": "ab", "size": 5, "token": "t"}
SET = {"type": "set", "id": "00" * 16, "status": "partial", "objects": [], "missing": [{"url": "https://h/a.webp"}]}
NAMED = {"document": "rows.jsonl:2", "line": 1, "row": {"id": 10**400, "caption": "text", "score": -0.5, "sound": True}}
WRONG = [None, True, -1, 2**63, 10**30, 1.5, float("nan"), float("inf"), [], {}, "\ud800", [1], {"a": 1}]


def rows_with(row: dict[str, Any], names: str, values: list[Any]) -> list[dict[str, Any]]:
    return [row | {name: value} for name in names.split() for value in values]


BAD_ROWS = [
    *rows_with(OBJECT, "key sha256 size token", WRONG),
    *rows_with(OBJECT, "width height url format content_type", WRONG[1:]),
    *rows_with(OBJECT, "key", ["", "../x", "/a", "a\nb", "x" * 2000]),
    *rows_with({"type": "deleted", "key": "a"}, "key", WRONG),
    *rows_with(SET, "id status objects", [value for value in WRONG if value != []]),
    *rows_with(SET, "document line alt context", WRONG[1:]),
    *rows_with(SET, "id", ["zz", "0"]),
    *rows_with(SET, "missing", [None, 5, {}, "x", [None], ["x"], [{}], [{"url": 5}], [{"url": "u", "width": "x"}]]),
    *rows_with(SET, "row", [5, "x", [1], {"a": None}, {"a": [1]}, {"a": "\ud800"}, {"\ud800": 1}, {"a": float("nan")}]),
    *rows_with(
        SET, "other_rows", [5, "x", {"a": 1}, [None], ["x"], [{}], [NAMED | {"row": None}], [NAMED | {"line": -1}]]
    ),
    *rows_with(SET, "other_rows", [[NAMED | {"row": {"a": {}}}], [NAMED | {"document": "\ud800"}]]),
    *rows_with(OBJECT, "type", [None, 5, [], {}]),
]


async def put_segment(store: MemoryStore, data: bytes, name: str = "20260101T000000.000000Z-00") -> None:
    packed = gzip.compress(data)
    body = Body(len(packed), hashlib.sha256(packed).hexdigest(), packed)
    await store.put(f"{SEGMENTS}{name}.jsonl.gz", body, ObjectAttributes("application/gzip"))


@pytest.mark.parametrize("take_in", [adopt, lambda catalog, store, _: load_manifest(catalog, store)])
async def test_every_row_of_a_wrong_type_ends_in_damaged_and_never_reaches_the_catalog(
    catalog: Catalog, take_in: Callable[..., Awaitable[object]]
) -> None:
    place, said = await catalog.write(store_id, "here"), []
    for row in BAD_ROWS:
        store = MemoryStore()
        await put_segment(store, json.dumps(row).encode() + b"\n")
        (result,) = await asyncio.gather(take_in(catalog, store, place), return_exceptions=True)
        said.append(result)
    assert [row for row, error in zip(BAD_ROWS, said, strict=True) if not isinstance(error, ObjectCorrupt)] == []
    assert all("is damaged (" in str(error) and "remove it" in str(error) for error in said)
    assert all("Put it back from another copy" in str(error) for error in said)


@pytest.mark.parametrize(
    "row",
    [
        *(OBJECT, SET, {"type": "deleted", "key": "a"}, {"type": "of a later release", "x": None}),
        SET | {"document": "rows.jsonl:1", "line": 1, "row": NAMED["row"], "other_rows": [NAMED]},
    ],
)
async def test_rows_as_they_should_be_and_of_types_not_known_are_taken(catalog: Catalog, row: dict[str, Any]) -> None:
    store = MemoryStore()
    await put_segment(store, json.dumps(row).encode() + b"\n")
    await adopt(catalog, store, await catalog.write(store_id, "here"))
    await load_manifest(catalog, store)


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'{"a":' * 50_000, b"9" * 10_000, b"\xff", b"null"], ids=["[", "{", "9", "ff", "null"]
)
async def test_json_made_to_break_readers_ends_in_damaged(data: bytes) -> None:
    store = MemoryStore()
    await put_segment(store, data + b"\n")
    with pytest.raises(ObjectCorrupt, match="remove it"):
        await rows(store)


async def test_a_segment_that_inflates_to_far_more_than_was_ever_written_is_damaged() -> None:
    store = MemoryStore()
    row = json.dumps({"type": "deleted", "key": "a" * 1000}).encode() + b"\n"
    await put_segment(store, row * (200 * 1024 * 1024 // len(row)))
    with pytest.raises(ObjectCorrupt, match="decompresses to more"):
        async for _ in read_segments(store):
            pass


async def test_a_segment_of_the_end_of_all_time_is_named_and_nothing_is_written(catalog: Catalog) -> None:
    store = MemoryStore()
    await put_segment(store, b"", name="99991231T235959.999999Z-00")
    place = await catalog.write(store_id, "here")
    await catalog.write(put_holdings, {place: [Held("a", "1", 5, "t")]})
    told = await write_segment(catalog, store, place, at=AT)
    assert told is not None
    assert "99991231T235959.999999Z-00.jsonl.gz names the end of all time: remove it" in told.message


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_what_is_recorded_and_what_is_new_come_in_pages_of_any_length_with_each_key_once(
    catalog: Catalog, limit: int
) -> None:
    def fill(db: sqlite3.Connection) -> None:
        db.executemany("INSERT INTO variants VALUES (?, ?, ?)", [(1, "https://h/1", "h"), (2, "https://h/2", "h")])
        columns = "INSERT INTO objects (store_id, key, variant_id, sha256, size, token, stored_at) VALUES (1, ?, ?, ?, 5, ?, 'now')"
        db.executemany(columns, [("b", 2, "s", "t"), ("b", 1, "s", "t"), ("d", 1, "s", "t"), ("e", 1, "s", None)])
        db.execute("INSERT INTO published (store_id, key, sha256, token) VALUES (1, 'd', 's', 't')")

    place = await catalog.write(store_id, "here")
    await catalog.write(put_holdings, {place: [Held(key, "s", 5, "t") for key in ("a", "b", "c", "f")]})
    await catalog.write(fill)
    recorded = [(row.key, len(row.versions)) async for row in catalog.rows(read_expected, place, limit=limit)]
    assert recorded == [("a", 1), ("b", 3), ("c", 1), ("d", 1), ("e", 1), ("f", 1)]
    found = [(row.key, row.url) async for row in catalog.rows(read_new, place, limit=limit)]
    assert found == [("a", None), ("b", "https://h/1"), ("c", None), ("f", None)]
