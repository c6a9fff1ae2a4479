"""Resuming a scrub: what is known to be read, whatever order it was finished in; samples that stay the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import store_id
from mediamirror.catalog.stored_sets import Recorded, expected_sha256, put_holdings, read_expected
from mediamirror.jobs.scrub.job import Progress, Tracker, in_sample, load
from mediamirror.model import Held


@given(st.permutations(range(8)), st.integers(0, 8))
def test_only_what_has_nothing_unread_before_it_counts_as_read(order: Sequence[int], count: int) -> None:
    tracker = Tracker(None, Progress(1, 1.0))
    for number in order[:count]:
        tracker.finished(number, f"key{number}", bad=number == 0)
    finished = set(order[:count])
    whole = next(number for number in range(9) if number not in finished)
    expected = Progress(1, 1.0, f"key{whole - 1}" if whole else "", whole, int(whole > 0))
    assert tracker.progress == expected


def test_it_is_written_down_every_other_second_and_read_back_for_the_same_sample_alone(tmp_path: Path) -> None:
    times = iter([0.0, 1.0, 2.5, 2.5])
    path = tmp_path / "new" / "state"
    tracker = Tracker(path, Progress(7, 0.5), clock=lambda: next(times))
    tracker.finished(0, "a", bad=True)
    assert not path.exists()
    tracker.finished(1, "b", bad=False)
    assert load(path, sample=0.5) == Progress(7, 0.5, "b", 2, 1)
    assert load(path, sample=1.0) is None
    tracker.forget()
    assert load(path, sample=0.5) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seed": 1, "sample": 1.0, "after": 3}', '{"other": 1}', "\x00"])
def test_a_damaged_note_is_no_note(tmp_path: Path, text: str) -> None:
    (tmp_path / "state").write_text(text)
    assert load(tmp_path / "state", sample=1.0) is None


def test_a_sample_is_the_same_for_the_same_seed_and_about_as_large_as_asked() -> None:
    keys = [f"host/{number}.webp" for number in range(4_000)]
    one = {key for key in keys if in_sample(key, seed=1, share=0.05)}
    assert one == {key for key in reversed(keys) if in_sample(key, seed=1, share=0.05)}
    assert 120 < len(one) < 280
    assert one != {key for key in keys if in_sample(key, seed=2, share=0.05)}
    assert all(in_sample(key, seed=3, share=1.0) for key in keys)


@pytest.mark.parametrize(
    ("token", "found", "expected"), [("t2", "?", "second"), ("t9", "second", "second"), ("t9", "?", "first")]
)
def test_the_state_that_is_listed_decides_which_version_is_expected(token: str, found: str, expected: str) -> None:
    versions = (Recorded("first", 1, "t1"), Recorded("second", 1, "t2"))
    assert expected_sha256(versions, token=token, size=1, found=found) == expected
    assert expected_sha256((), token=token, size=1, found=found) is None


async def test_what_sync_wrote_down_is_expected_too_in_order_and_over_many_pages() -> None:
    keys = [f"k{number:04}" for number in range(600)]
    async with await Catalog.open(None) as catalog:
        place = await catalog.write(store_id, "s")
        await catalog.write(put_holdings, {place: [Held(key, f"sha {key}", 1, "t") for key in reversed(keys)]})
        found = [row async for row in catalog.rows(read_expected, place)]
    assert [(row.key, row.versions) for row in found] == [(key, (Recorded(f"sha {key}", 1, "t"),)) for key in keys]
