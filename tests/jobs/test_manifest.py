"""The manifest: immutable segments, the newest row per key wins."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.holdings import drop_holdings, is_new_here, put_holdings, read_holdings
from mediamirror.catalog.ingest import store_id
from mediamirror.errors import ObjectCorrupt, StoreDenied
from mediamirror.jobs.run.manifest import SEGMENTS, adopt, read_segments, segment_name, set_row, write_segment
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
