"""gc: what may go goes, rows before bytes; what lives stays, whatever happens in the middle."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import find_store, store_id
from mediamirror.catalog.manifest import read_manifest
from mediamirror.catalog.stored_sets import put_holdings, read_holdings
from mediamirror.errors import LockHeld, StoreError, UsageError
from mediamirror.jobs.catalog.catalogs import locate
from mediamirror.jobs.catalog.gc import Found, collect_garbage, refusal
from mediamirror.jobs.run.destination import hold_folder, hold_places, identity_of
from mediamirror.jobs.run.manifest import SEGMENTS, compact, load_manifest, read_segments, write_segment
from mediamirror.jobs.run.pipeline import WorkList
from mediamirror.model import Body, Held, StoredObject
from mediamirror.settings import GcOptions
from mediamirror.store.base import ObjectAttributes
from mediamirror.store.directory import DirectoryStore
from mediamirror.store.memory import MemoryStore

OLD = 1_700_000_000
AT = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "m"
    for name in ("a", "b", "c", "d"):
        put(root, name)
    return root


def put(root: Path, key: str) -> None:
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(key.encode() * 10)
    os.utime(path, (OLD, OLD))


async def remember(root: Path, *keys: str) -> None:
    async with await Catalog.open(locate(str(root), None, None).path) as catalog, DirectoryStore(root) as store:
        place = await catalog.write(store_id, identity_of(str(root), None))
        rows = {row.key: row async for row in store.list()}
        held_ = [
            Held(k, "0" * 64, rows[k].size, rows[k].token or "") if k in rows else Held(k, "0" * 64, 1, "t")
            for k in keys
        ]
        await catalog.write(put_holdings, {place: held_})


async def rows_left(root: Path) -> list[str]:
    async with await Catalog.open_existing(locate(str(root), None, None).path, read_only=True) as catalog:
        place = await catalog.read(find_store, identity_of(str(root), None))
        assert place is not None
        return [row.key async for page in catalog.pages(read_holdings, place) for row in page]


def files(root: Path) -> list[str]:
    found = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    return [name for name in found if not name.startswith(SEGMENTS)]


async def test_unnamed_objects_go_only_with_delete_and_rows_without_object_go_anyway(mirror: Path) -> None:
    await remember(mirror, "a", "b", "lost")
    summary = await collect_garbage(str(mirror))
    assert (summary.counts, files(mirror)) == ({"rows forgotten": 1, "unnamed, kept": 2}, ["a", "b", "c", "d"])
    summary = await collect_garbage(str(mirror), options=GcOptions(delete=True))
    assert (summary.counts, files(mirror), await rows_left(mirror)) == ({"objects deleted": 2}, ["a", "b"], ["a", "b"])
    assert (await collect_garbage(str(mirror), options=GcOptions(delete=True))).counts == {}


async def test_a_dry_run_says_the_same_and_changes_nothing(mirror: Path) -> None:
    await remember(mirror, "a", "b", "lost")
    told: list[tuple[str, str]] = []
    options = GcOptions(delete=True, dry_run=True)
    await collect_garbage(
        str(mirror), options=options, on_event=lambda e: told.append((getattr(e, "op", ""), getattr(e, "key", "")))
    )
    assert told[:-1] == [("forget", "lost"), ("delete", "c"), ("delete", "d")]
    assert (files(mirror), await rows_left(mirror)) == (["a", "b", "c", "d"], ["a", "b", "lost"])


async def test_what_is_young_stays_and_what_was_left_half_written_goes_by_age(mirror: Path) -> None:
    await remember(mirror, "a", "b", "c")
    put(mirror, "_mediamirror/tmp/1-old.part")
    put(mirror, "_mediamirror/tmp/1-new.part")
    for young in ("d", "_mediamirror/tmp/1-new.part"):
        os.utime(mirror / young)
    summary = await collect_garbage(str(mirror), options=GcOptions(delete=True))
    assert summary.counts == {"leftovers swept": 1, "unnamed, kept": 1}
    assert files(mirror) == ["_mediamirror/tmp/1-new.part", "a", "b", "c", "d"]
    await collect_garbage(str(mirror), options=GcOptions(delete=True, older_than=0))
    assert files(mirror) == ["a", "b", "c"]


async def test_an_object_whose_store_tells_no_date_is_kept_unless_every_age_is_old_enough(
    mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remember(mirror, "a", "b", "c")
    listed = DirectoryStore.list

    async def undated(self: DirectoryStore, prefix: str = "") -> AsyncIterator[StoredObject]:
        async for row in listed(self, prefix):
            yield replace(row, modified=None)

    monkeypatch.setattr(DirectoryStore, "list", undated)
    told: list[str] = []
    options = GcOptions(delete=True)
    await collect_garbage(str(mirror), options=options, on_event=lambda e: told.append(getattr(e, "reason", "")))
    assert told[0] == (
        "no row names it; its store tells no date that can be read, so it may be young; --older-than 0 takes it for old"
    )
    assert files(mirror) == ["a", "b", "c", "d"]
    await collect_garbage(str(mirror), options=GcOptions(delete=True, older_than=0))
    assert files(mirror) == ["a", "b", "c"]


async def test_a_catalog_that_is_mostly_unused_gives_its_room_back(mirror: Path) -> None:
    await remember(mirror, "a", "b", "c", "d")
    path = locate(str(mirror), None, None).path
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE bulk AS SELECT zeroblob(4000000) AS bytes")
        db.execute("DROP TABLE bulk")
    before = path.stat().st_size
    summary = await collect_garbage(str(mirror), options=GcOptions(dry_run=True))
    assert (summary.counts, path.stat().st_size) == ({}, before)
    summary = await collect_garbage(str(mirror))
    assert list(summary.counts) == ["bytes given back"]
    assert before - path.stat().st_size == summary.counts["bytes given back"] > 3_900_000
    assert await rows_left(mirror) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("known", "options", "said"),
    [
        (("a",), GcOptions(delete=True, max_delete=2), "--max-delete allows 2"),
        (("x", "y"), GcOptions(), "None of the 2 objects"),
        ((), GcOptions(), "knows nothing of"),
    ],
)
async def test_a_refusal_changes_nothing(mirror: Path, known: tuple[str, ...], options: GcOptions, said: str) -> None:
    await remember(mirror, *known)
    with pytest.raises(UsageError, match=said):
        await collect_garbage(str(mirror), options=options)
    assert (files(mirror), await rows_left(mirror)) == (["a", "b", "c", "d"], list(known))


@pytest.mark.parametrize(
    ("found", "options", "refused"),
    [
        (Found(4, 2, 2, 0), GcOptions(delete=True), False),
        (Found(4, 2, 2, 0), GcOptions(delete=True, max_delete=2), False),
        (Found(4, 2, 2, 0), GcOptions(delete=True, max_delete=1, force=True), True),
        (Found(4, 0, 4, 0), GcOptions(delete=True), True),
        (Found(4, 0, 4, 0), GcOptions(delete=True, force=True), False),
        (Found(4, 0, 4, 0), GcOptions(), False),
        (Found(0, 2, 0, 2), GcOptions(), True),
        (Found(0, 2, 0, 2), GcOptions(force=True), False),
        (Found(2, 4, 0, 2), GcOptions(), False),
    ],
)
def test_when_nothing_may_be_changed(found: Found, options: GcOptions, refused: bool) -> None:
    assert (refusal(found, options) is not None) is refused


async def test_a_running_job_is_left_alone_and_named(mirror: Path) -> None:
    await remember(mirror, "a")
    where = locate(str(mirror), None, None)
    with ExitStack() as stack:
        hold_places(
            stack, to=str(mirror), identity=where.identity or "", catalog=where.path, command="mirror", dry_run=False
        )
        stack.enter_context(pytest.raises(LockHeld, match=r"in use by process \d+ \(mirror"))
        await collect_garbage(str(mirror), options=GcOptions(delete=True))
    assert files(mirror) == ["a", "b", "c", "d"]


async def test_a_store_that_dies_in_the_middle_loses_nothing_live_and_the_next_run_ends_it(
    mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remember(mirror, "a", "lost")
    whole = DirectoryStore.delete

    async def dies(self: DirectoryStore, key: str) -> None:
        await whole(self, key)
        if key == "c":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DirectoryStore, "delete", dies)
        with pytest.raises(KeyboardInterrupt):
            await collect_garbage(str(mirror), options=GcOptions(delete=True))
    assert (files(mirror), await rows_left(mirror)) == (["a", "d"], ["a"])
    assert (await collect_garbage(str(mirror), options=GcOptions(delete=True))).counts == {"objects deleted": 1}
    assert files(mirror) == ["a"]


# The manifest


@pytest.fixture
async def catalog() -> AsyncIterator[Catalog]:
    async with await Catalog.open(None) as opened:
        yield opened


async def put_rows(store: MemoryStore, name: str, rows: list[dict[str, Any]]) -> None:
    data = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    body = Body(len(data), hashlib.sha256(data).hexdigest(), data=data)
    await store.put(f"{SEGMENTS}{name}.jsonl.gz", body, ObjectAttributes("application/gzip"))


def said_of(key: str, sha256: str) -> dict[str, Any]:
    return {"type": "object", "key": key, "sha256": sha256, "size": 1, "token": sha256}


async def newest(store: MemoryStore) -> dict[str, str]:
    state: dict[str, str] = {}
    async for row in read_segments(store):
        if row["type"] == "deleted":
            state.pop(row["key"], None)
        else:
            state[row["key"]] = row["sha256"]
    return state


ROWS = st.lists(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["1", "2", None])), max_size=4), min_size=1, max_size=5
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(segments=ROWS, stop_after=st.integers(0, 6))
@example(segments=[[("a", "1")], [("a", None)]], stop_after=1)
async def test_compacting_says_the_same_as_before_wherever_it_is_killed(
    segments: list[list[tuple[str, str | None]]], stop_after: int
) -> None:
    store = MemoryStore()
    for number, rows in enumerate(segments):
        made = [said_of(key, sha) if sha else {"type": "deleted", "key": key} for key, sha in rows]
        await put_rows(store, f"2026112{number}T000000.000000Z-{'0' * 12}", made)
    before = await newest(store)
    deleted = 0

    class Dying(MemoryStore):
        async def delete(self, key: str) -> None:
            nonlocal deleted
            if deleted == stop_after:
                raise StoreError("killed")
            deleted += 1
            await store.delete(key)

    dying = Dying()
    dying._held = store._held
    async with await Catalog.open(None) as catalog:
        with WorkList[str]() as absent:
            try:
                await compact(catalog, dying, absent)
            except StoreError:
                assert await newest(store) == before
                await compact(catalog, store, absent)
    left = [row.key async for row in store.list(SEGMENTS)]
    assert (await newest(store), len(left)) == (before, 1)


async def test_what_another_machine_writes_meanwhile_stays_newer(catalog: Catalog) -> None:
    store = MemoryStore()
    await put_rows(store, "20261124T050000.000000Z-aaaaaaaaaaaa", [said_of("a", "1")])
    await put_rows(store, "20261124T050001.000000Z-bbbbbbbbbbbb", [said_of("b", "1")])
    listing = store.list

    async def late(prefix: str = "") -> AsyncIterator[Any]:
        rows = [row async for row in listing(prefix)]
        await put_rows(store, "20261124T050001.500000Z-cccccccccccc", [said_of("a", "2")])
        for row in rows:
            yield row

    store.list = late  # type: ignore[method-assign]
    with WorkList[str]() as absent:
        done = await compact(catalog, store, absent)
    store.list = listing  # type: ignore[method-assign]
    assert done is not None
    assert (done[1], await newest(store)) == (2, {"a": "2", "b": "1"})


async def test_a_row_that_is_gone_from_the_catalog_is_gone_from_the_compacted_manifest(catalog: Catalog) -> None:
    store = MemoryStore()
    place = await catalog.write(store_id, "here")
    for seconds, keys in enumerate((("a", "b"), ("c",))):
        await catalog.write(put_holdings, {place: [Held(key, "1", 1, "t") for key in keys]})
        await write_segment(catalog, store, place, at=AT + timedelta(seconds=seconds))
    with WorkList[str]() as absent:
        absent.append("b")
        await compact(catalog, store, absent)
    assert len(await load_manifest(catalog, store)) == 1
    assert [row["key"] async for row in catalog.rows(read_manifest)] == ["a", "c"]


async def test_a_directory_that_a_run_with_another_state_folder_works_in_is_refused(mirror: Path) -> None:
    await remember(mirror, "a")
    with hold_folder(mirror, thing="it"), pytest.raises(LockHeld, match="another state folder"):
        await collect_garbage(str(mirror), options=GcOptions(delete=True))
    assert files(mirror) == ["a", "b", "c", "d"]


async def test_a_catalog_named_by_a_link_is_the_same_catalog(mirror: Path, tmp_path: Path) -> None:
    await remember(mirror, "a")
    real, link = locate(str(mirror), None, None).path, tmp_path / "link.sqlite"
    link.symlink_to(real)
    with ExitStack() as stack:
        hold_places(stack, to="other", identity="other", catalog=real, command="sync", dry_run=False)
        stack.enter_context(pytest.raises(LockHeld, match="The catalog"))
        await collect_garbage(str(mirror), catalog=link)
