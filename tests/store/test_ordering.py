"""Listings of any length, sorted in bounded memory; parts of equal size."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from mediamirror.errors import StoreError
from mediamirror.settings import MiB
from mediamirror.store.base import Entry
from mediamirror.store.ordering import Listing
from mediamirror.store.s3.multipart import part_size_for

KEYS = [f"dir{n % 7}/é{n}" for n in range(500)]


async def in_pages(keys: list[str], size: int) -> AsyncIterator[list[Entry]]:
    yield []
    for start in range(0, len(keys), size):
        yield [(key, 1, f"tag {key}", None) for key in keys[start : start + size]]


@pytest.mark.parametrize("run", [1, 7, 100, 5_000])
@pytest.mark.parametrize("order", ["as it comes", "sorted", "two swapped at the end"])
async def test_a_listing_is_sorted_whatever_fits_in_memory(run: int, order: str) -> None:
    keys = list(KEYS)
    if order == "as it comes":
        random.Random(1).shuffle(keys)
    else:
        keys.sort(key=str.encode)
    if order == "two swapped at the end":
        keys[-2:] = keys[:-3:-1]
    with Listing(run=run) as listing:
        await listing.fill(in_pages(keys, 30))
        found = [entry async for page in listing.pages() for entry in page]
    assert found == [(key, 1, f"tag {key}", None) for key in sorted(KEYS, key=str.encode)]


@pytest.mark.parametrize("run", [1, 100])
async def test_a_key_that_was_listed_twice_comes_once_and_without_a_token_where_its_entries_differ(run: int) -> None:
    async def pages() -> AsyncIterator[list[Entry]]:
        yield [("a", 1, "t", "then"), ("b", 1, "old", "then")]
        yield [("a", 1, "t", "then"), ("b", 2, "new", "now"), ("c", 3, "t", "then")]

    with Listing(run=run) as listing:
        await listing.fill(pages())
        found = [entry async for page in listing.pages() for entry in page]
    assert found == [("a", 1, "t", "then"), ("b", 2, None, "now"), ("c", 3, "t", "then")]


async def test_a_listing_without_an_end_stops_with_a_sentence_before_it_fills_the_disk() -> None:
    given = 0

    async def pages() -> AsyncIterator[list[Entry]]:
        nonlocal given
        while True:
            given += 1
            yield [(f"{given:09}-{n:03}", 1, None, None) for n in range(100)]

    said = r"more than 1 MiB and goes on \(the last key is '0000.*no end"
    with Listing(run=1_000, most=MiB) as listing, pytest.raises(StoreError, match=said):
        await listing.fill(pages())
    assert given < 500


async def test_a_long_listing_is_not_held_in_memory() -> None:
    keys = [f"{n:06}" for n in range(40_000)]
    with Listing() as listing:
        await listing.fill(in_pages(keys, 1_000))
        tracemalloc.start()
        count = sum([len(page) async for page in listing.pages()])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (count, peak < 2_000_000) == (40_000, True)


@pytest.mark.parametrize(
    ("size", "wanted", "part"),
    [(20 * MiB, 8 * MiB, 8 * MiB), (10_000 * 8 * MiB, 8 * MiB, 8 * MiB), (10_000 * 8 * MiB + 1, 8 * MiB, 9 * MiB)],
)
def test_no_upload_has_more_than_10_000_parts(size: int, wanted: int, part: int) -> None:
    assert part_size_for(size, wanted) == part
