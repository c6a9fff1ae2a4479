"""Listings of any length, sorted in bounded memory; parts of equal size."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from mediamirror.model import StoredObject
from mediamirror.settings import MiB
from mediamirror.store.ordering import sorted_by_key
from mediamirror.store.s3_multipart import part_size_for


@pytest.mark.parametrize("run", [1, 7, 100, 5_000])
async def test_a_listing_is_sorted_whatever_fits_in_memory(run: int) -> None:
    keys = [f"dir{n % 7}/é{n}" for n in range(500)]
    random.Random(1).shuffle(keys)

    async def rows() -> AsyncIterator[StoredObject]:
        for key in keys:
            yield StoredObject(key=key, size=1)

    found = [row.key async for row in sorted_by_key(rows(), run=run)]
    assert found == sorted(keys, key=str.encode)


@pytest.mark.parametrize(
    ("size", "wanted", "part"),
    [(20 * MiB, 8 * MiB, 8 * MiB), (10_000 * 8 * MiB, 8 * MiB, 8 * MiB), (10_000 * 8 * MiB + 1, 8 * MiB, 9 * MiB)],
)
def test_no_upload_has_more_than_10_000_parts(size: int, wanted: int, part: int) -> None:
    assert part_size_for(size, wanted) == part
