"""Two listings and what is recorded, joined key by key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.errors import StoreError
from mediamirror.jobs.run.pipeline import WorkList
from mediamirror.jobs.sync.plan import joined, paired
from mediamirror.model import Held

T = TypeVar("T")

KEYS = st.sets(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=4), max_size=12)


async def stream(items: Iterable[T], size: int = 3) -> AsyncIterator[list[T]]:
    """By the page: small ones, an empty one among them."""
    page: list[T] = []
    yield page
    for item in items:
        page = [*page, item]
        if len(page) == size:
            yield page
            page = []
    yield page


def held(keys: Iterable[str]) -> AsyncIterator[list[Held]]:
    return stream(Held(key, None, 1) for key in keys)


@given(KEYS, KEYS)
async def test_every_key_of_either_side_comes_once_in_order_with_what_each_side_has(a: set[str], b: set[str]) -> None:
    found = [p async for page in paired(held(sorted(a, key=str.encode)), held(sorted(b, key=str.encode))) for p in page]
    assert [(p.key, p.source is not None, p.destination is not None) for p in found] == [
        (key, key in a, key in b) for key in sorted(a | b, key=str.encode)
    ]


@pytest.mark.parametrize("keys", [["b", "a"], ["a", "a"]])
async def test_a_listing_out_of_order_stops_the_run_before_anything_looks_missing(keys: list[str]) -> None:
    with pytest.raises(StoreError, match="not in order"):
        _ = [page async for page in paired(held([]), held(keys))]


@given(KEYS, KEYS)
async def test_what_is_recorded_goes_with_its_key_alone(listed: set[str], recorded: set[str]) -> None:
    rows = stream((key, 1, "t", None) for key in sorted(listed, key=str.encode))
    known = stream(Held(key, f"sha of {key}", 1, "t") for key in sorted(recorded, key=str.encode))
    assert {h.key: h.sha256 async for page in joined(rows, known) for h in page} == {
        key: f"sha of {key}" if key in recorded else None for key in listed
    }


@pytest.mark.parametrize(
    ("size", "token", "sha256"), [(1, "now", "right"), (2, "now", None), (1, "later", None), (1, None, None)]
)
async def test_a_recorded_hash_counts_only_for_the_recorded_size_and_token(
    size: int, token: str | None, sha256: str | None
) -> None:
    known = stream([Held("k", "stale", 1, "before"), Held("k", "right", 1, "now")])
    (found,) = [h async for page in joined(stream([("k", size, token, None)]), known) for h in page]
    assert found.sha256 == sha256


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 35])
async def test_a_work_list_gives_back_what_it_was_given_in_order(count: int) -> None:
    with WorkList[int](page=10) as work:
        for number in range(count):
            work.append(number)
        assert (len(work), [n async for n in work]) == (count, list(range(count)))
