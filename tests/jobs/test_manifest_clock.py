"""The manifest when the clock is set back between two runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import store_id
from mediamirror.catalog.stored_sets import put_holdings
from mediamirror.jobs.run.manifest import read_segments, write_segment
from mediamirror.model import Held
from mediamirror.store.memory import MemoryStore

AT = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)


async def test_the_later_of_two_segments_is_read_last_though_its_clock_says_yesterday() -> None:
    store = MemoryStore()
    async with await Catalog.open(None) as catalog:
        place = await catalog.write(store_id, "here")
        for sha256, days in (("1", 0), ("2", -1), ("3", -2)):
            await catalog.write(put_holdings, {place: [Held("a", sha256, 5, f"token {sha256}")]})
            assert await write_segment(catalog, store, place, at=AT + timedelta(days=days)) is None
    assert [row["sha256"] async for row in read_segments(store)] == ["1", "2", "3"]
