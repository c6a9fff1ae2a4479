"""A bucket that lies about its objects, drips, or lists without an end: every call ends, in bounded memory, with a sentence."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime

import pytest

from fixtures.servers.hostile_bucket import Bucket, entry, running_bucket
from mediamirror.errors import BodyCutOff, SourceChanged, StoreError
from mediamirror.fetch.late import open_transport
from mediamirror.settings import StoreOptions
from mediamirror.store.base import bounded
from mediamirror.store.s3 import listing
from mediamirror.store.s3.errors import read_time
from mediamirror.store.s3.headers import row_from_head
from mediamirror.store.s3.listing import BadListing, Page, _Advance, read_page
from mediamirror.store.s3.store import S3Store

OK = [entry("a.webp")]


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running_bucket() as made:
        yield made


@pytest.fixture
async def store(bucket: Bucket) -> AsyncIterator[S3Store]:
    options = StoreOptions(endpoint_url=bucket.url, no_sign_request=True, retries=0, timeout=5.0)
    async with open_transport(None, limit=8) as transport, S3Store("b", options=options, transport=transport) as made:
        yield made


async def keys(store: S3Store) -> list[str]:
    return [row.key async for row in store.list()]


def circle(*tokens: str) -> Callable[[str | None], tuple[list[str], str | None]]:
    """Pages whose tokens lead from one to the next, and from the last back to the first."""
    after = dict(zip((None, *tokens), (*tokens, tokens[0]), strict=True))
    return lambda token: (OK, after[token])


def numbered(contents: Callable[[int], list[str]]) -> Callable[[str | None], tuple[list[str], str | None]]:
    """Pages without an end, each with a token of its own."""
    return lambda token: (contents(int(token or 0)), str(int(token or 0) + 1))


@pytest.mark.parametrize("tokens", [("t",), ("t", "u"), tuple("abcdefghij")])
async def test_a_listing_whose_tokens_go_round_in_a_circle_ends(
    bucket: Bucket, store: S3Store, tokens: tuple[str, ...]
) -> None:
    bucket.listing = circle(*tokens)
    with pytest.raises(StoreError, match="the same pages come again and again"):
        await keys(store)
    assert bucket.pages < 50


async def test_a_listing_of_empty_pages_ends(bucket: Bucket, store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert listing._EMPTY_PAGES <= 1_000
    monkeypatch.setattr(listing, "_EMPTY_PAGES", 60)  # asking for a thousand takes long on a busy machine
    bucket.listing = numbered(lambda _: [])
    with pytest.raises(StoreError, match="60 pages in a row hold no key"):
        await keys(store)
    with pytest.raises(StoreError, match="60 pages in a row hold no key"):
        await store.is_empty()


async def test_empty_pages_in_between_are_no_fault(bucket: Bucket, store: S3Store) -> None:
    bucket.listing = lambda token: (
        [] if int(token or 0) < 20 else OK,
        str(int(token or 0) + 1) if int(token or 0) < 20 else None,
    )
    assert await keys(store) == ["a.webp"]


async def test_a_listing_in_drips_ends() -> None:
    advance = _Advance()

    def go_on() -> None:
        for number in itertools.count():
            advance.check(Page([("k", 1, None, None)], str(number)), 30.0)

    with pytest.raises(BadListing, match="less than 10 keys a second"):
        go_on()


def test_a_slow_listing_of_full_pages_goes_on() -> None:
    advance = _Advance()
    for number in range(10_000):
        advance.check(Page([("k", 1, None, None)] * 1_000, str(number)), 30.0)


async def test_keys_out_of_order_twice_and_not_allowed_come_once_and_sorted(bucket: Bucket, store: S3Store) -> None:
    bucket.listing = lambda _: (list(map(entry, ["b", "a", "b", "x/../y", "back\\slash", "c/", "/d"])), None)
    assert await keys(store) == ["a", "b"]
    left: list[str] = []
    async for _ in store.pages(left_out=lambda key, why: left.append(key)):
        pass
    assert left == ["x/../y", "back\\slash", "c/", "/d"]


@pytest.mark.parametrize("size", ["-1", "9223372036854775808", "1e9", "x", "9" * 5_000])
async def test_a_size_that_is_none_is_refused_with_a_sentence(bucket: Bucket, store: S3Store, size: str) -> None:
    bucket.put("a", b"x", listed_size=size)
    with pytest.raises(StoreError, match="could not be listed: the answer makes no sense"):
        await keys(store)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "garbage",
        "0000-00-00T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "2026-13-41",
        "\u0661",
    ],
)
async def test_a_date_that_is_none_is_not_known(bucket: Bucket, store: S3Store, date: str) -> None:
    bucket.put("a", b"x", listed_date=date)
    assert [row.modified async for row in store.list()] == [None]


@pytest.mark.parametrize("text", ["Fri, 31 Dec 9999 23:59:59 -1400", "1", "Tue, 99"])
def test_a_date_outside_the_calendar_is_not_known(text: str) -> None:
    assert read_time(text) is None


def test_dates_of_both_kinds_are_read_as_utc() -> None:
    wanted = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
    for text in (
        "Tue, 01 Sep 2026 10:00:00 +0200",
        "2026-09-01T08:00:00Z",
        "2026-09-01T08:00:00",
        "2026-09-01 10:00+02:00",
    ):
        assert read_time(text) == wanted


@pytest.mark.parametrize("length", ["-5", "9223372036854775808", "10 MB", "\u0662"])
def test_a_length_that_is_none_is_refused_with_a_sentence(length: str) -> None:
    with pytest.raises(StoreError, match="can't have"):
        row_from_head("a", {"content-length": length})


@pytest.mark.parametrize("sha256", ["", "x", "\x1b[31m", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_a_sha256_that_is_none_is_not_believed(sha256: str) -> None:
    assert row_from_head("a", {"x-amz-meta-sha256": sha256}).sha256 is None


async def test_a_body_in_drips_is_given_up(bucket: Bucket, store: S3Store) -> None:
    bucket.put("a", b"x", drip=True)
    with pytest.raises(BodyCutOff, match="came in slower than 1,024 bytes a second"):
        async for _ in store.get("a"):
            pass


async def test_a_body_without_an_end_is_read_no_further_than_its_size(bucket: Bucket, store: S3Store) -> None:
    bucket.put("a", b"12345", endless=True)
    found = await store.head("a")
    assert found is not None
    with pytest.raises(SourceChanged, match="gives more bytes than the 5"):
        async for _ in bounded(store.get("a"), found.size, "a"):
            pass
    assert bucket.sent < 64 * 1024 * 1024


def test_a_page_of_many_small_elements_takes_little_memory() -> None:
    import tracemalloc

    answer = b"<ListBucketResult>" + b"<a/>" * 1_000_000 + b"</ListBucketResult>"
    tracemalloc.start()
    read_page(answer[: 4 * 1024 * 1024])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 * 1024 * 1024


async def test_a_refusal_that_never_ends_is_cut(bucket: Bucket, store: S3Store) -> None:
    bucket.error, bucket.status = b"<Error><Code>AccessDenied</Code>" + b" " * 50_000_000, 403
    with pytest.raises(StoreError, match="access denied"):
        await keys(store)


async def test_an_object_that_the_server_inflates_by_itself_is_asked_for_as_it_is_stored(
    bucket: Bucket, store: S3Store
) -> None:
    drawing = b"<svg>" + b" " * 5_000
    stored = gzip.compress(drawing)
    bucket.put("a.svg", stored, inflated=drawing, headers=(("x-amz-meta-sha256", "0" * 64),))
    found = await store.head("a.svg")
    assert found is not None
    assert (found.size, found.sha256) == (len(stored), "0" * 64)
    assert b"".join([chunk async for chunk in store.get("a.svg")]) == stored


async def test_an_object_of_no_known_length_that_is_stored_plainly_is_taken_as_it_comes(
    bucket: Bucket, store: S3Store
) -> None:
    bucket.put("a.webp", b"12345", endless=True)
    first = await anext(aiter(store.get("a.webp")))
    assert first.startswith(b"12345")
