"""What the contract's suite leaves out: long listings, every character, other writers, slow and failing servers."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from fixtures.patience import PATIENCE
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.s3_faults import Fault, FaultProxy, running_fault_proxy
from mediamirror.errors import StoreDenied, StoreRefused, StoreUnavailable
from mediamirror.fetch.late import open_transport
from mediamirror.model import Body
from mediamirror.settings import MiB
from mediamirror.store.base import ObjectAttributes
from mediamirror.store.s3.exchange import Backoff
from mediamirror.store.s3.store import S3Store
from tests.conformance.conftest import Case, options_for

HTTP = ["seaweed-http", "rclone-http", "moto-http"]
KIND = ObjectAttributes("text/plain")
CHARACTERS = [
    *(character for character in map(chr, range(0x20, 0x7F)) if character not in "/\\"),
    *"éя日🦉\u0301\u200d\u202e\uff46\ufdfa\uffff\u2028\ufeff\U0010ffff",
]

Use = Callable[[str], S3Endpoint]
Buckets = Callable[[str], str]


def body(data: bytes) -> Body:
    return Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data[:4096])


@asynccontextmanager
async def store_at(
    endpoint: S3Endpoint, bucket: str, prefix: str, *, page_size: int = 1000, **changes: object
) -> AsyncIterator[S3Store]:
    backoff, options = Backoff(base=0.01, cap=0.05), options_for(endpoint, **changes)
    async with (
        open_transport(options.cacert, limit=32) as transport,
        S3Store(bucket, prefix, options=options, transport=transport, backoff=backoff, page_size=page_size) as store,
    ):
        yield store


async def put_all(store: S3Store, keys: list[str]) -> None:
    slots = asyncio.Semaphore(16)

    async def one(key: str) -> None:
        async with slots:
            await store.put(key, body(b"x"), KIND)

    await asyncio.gather(*map(one, keys))


@pytest.mark.parametrize("case", ["memory", "directory", *HTTP], indirect=True)
async def test_each_legal_character_may_stand_at_every_place_of_a_key(case: Case) -> None:
    keys = [f"{char}x{char}/{char}y{char}" for char in CHARACTERS]
    keys = [key for key in keys if not key.startswith(".x")] + [".x./.y."]
    await asyncio.gather(*(case.store.put(key, body(key.encode()), KIND) for key in keys))
    assert [row.key async for row in case.store.list()] == sorted(keys, key=str.encode)
    for key in keys:
        assert b"".join([chunk async for chunk in case.store.get(key)]) == key.encode()


@pytest.mark.parametrize("kind", HTTP)
async def test_a_listing_of_more_than_one_whole_page_holds_every_key_once(
    use_endpoint: Use, buckets: Buckets, kind: str
) -> None:
    keys = [f"part {n % 7}/{n:05}&é" for n in range(1_007)]
    async with store_at(use_endpoint(kind), buckets(kind), "many") as store:
        await put_all(store, keys)
        pages = [len(page) async for page in store.pages()]
        listed = [row.key async for row in store.list()]
    assert (max(pages), len(pages) >= 2) == (1_000, True)
    assert listed == sorted(keys, key=str.encode)


@pytest.mark.parametrize("kind", HTTP)
async def test_a_listing_while_others_write_and_delete_holds_all_that_stayed(
    use_endpoint: Use, buckets: Buckets, kind: str
) -> None:
    stay, go, come = ([f"{n:03}-{word}" for n in range(40)] for word in ("stays", "goes", "comes"))
    endpoint = use_endpoint(kind)
    async with store_at(endpoint, buckets(kind), "busy", page_size=7) as store:
        await put_all(store, [*stay, *go])

        async def meddle() -> None:
            for old, new in zip(go, come, strict=True):
                await asyncio.gather(store.delete(old), store.put(new, body(b"y"), KIND))

        meddling = asyncio.create_task(meddle())
        seen = [row.key async for row in store.list()]
        await meddling
        after = [row.key async for row in store.list()]
    assert set(stay) <= set(seen) <= {*stay, *go, *come}
    assert seen == sorted(set(seen))
    assert after == sorted([*stay, *come])


@pytest.fixture(scope="module")
def proxies(endpoints: Use) -> Iterator[Callable[[str], FaultProxy]]:
    """A proxy that breaks requests, before each server."""
    made: dict[str, FaultProxy] = {}
    with ExitStack() as stack:

        def before(kind: str) -> FaultProxy:
            if kind not in made:
                made[kind] = stack.enter_context(running_fault_proxy(endpoints(kind).url))
            made[kind].inject()
            return made[kind]

        yield before


def broken(
    endpoint: S3Endpoint, bucket: str, proxy: FaultProxy, **changes: object
) -> AbstractAsyncContextManager[S3Store]:
    return store_at(endpoint, bucket, "broken", endpoint_url=proxy.url, **changes)


PASSING = [
    Fault("refuse", times=2, status=503, code="SlowDown"),
    Fault("refuse", times=2, status=500),
    Fault("refuse-after", times=1, status=502, code="BadGateway"),
    Fault("error-in-200", times=1),
    Fault("reset-in-body", times=2),
    Fault("reset-after", times=1),
    Fault("refuse", method="GET", times=2, status=500),
]


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.kind}-{fault.method}-{fault.status}")
async def test_what_passes_is_outlived_on_every_server(
    use_endpoint: Use, buckets: Buckets, proxies: Callable[[str], FaultProxy], kind: str, fault: Fault
) -> None:
    endpoint, proxy = use_endpoint(kind), proxies(kind)
    data = bytes(range(256)) * 8
    async with broken(endpoint, buckets(kind), proxy) as store:
        proxy.inject(fault)
        stored = await store.put("k", body(data), KIND)
        assert b"".join([chunk async for chunk in store.get("k")]) == data
        assert [(row.key, row.token) async for row in store.list()] == [("k", stored.token)]
        await store.delete("k")


async def put_patiently(store: S3Store, key: str) -> None:
    """On a busy machine a sound server may take longer than the short time-out of the test."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(StoreUnavailable):
                await store.put(key, body(b"x"), KIND)
                return


@pytest.mark.parametrize("kind", HTTP)
async def test_a_server_that_is_too_slow_fails_its_item_and_the_next_one_is_served(
    use_endpoint: Use, buckets: Buckets, proxies: Callable[[str], FaultProxy], kind: str
) -> None:
    endpoint, proxy = use_endpoint(kind), proxies(kind)
    async with broken(endpoint, buckets(kind), proxy, timeout=0.3, retries=1) as store:
        await put_patiently(store, "before")
        proxy.inject(Fault("stall", part="slow"))
        with pytest.raises(StoreUnavailable):
            await store.put("slow", body(b"x"), KIND)
        assert len(proxy.seen("PUT", "slow")) == 2
        await put_patiently(store, "after")
    async with broken(endpoint, buckets(kind), proxy) as store:
        assert await store.head("slow") is None


@pytest.mark.parametrize("kind", HTTP)
async def test_expired_credentials_are_refused_before_the_first_item_and_fail_it_later(
    use_endpoint: Use, buckets: Buckets, proxies: Callable[[str], FaultProxy], kind: str
) -> None:
    endpoint, proxy = use_endpoint(kind), proxies(kind)
    async with broken(endpoint, buckets(kind), proxy) as store:
        proxy.inject(*(Fault("refuse", method=method, status=400, code="ExpiredToken") for method in ("GET", "PUT")))
        with pytest.raises(StoreRefused, match="Sign in again"):
            await store.check()
        with pytest.raises(StoreDenied, match="Sign in again"):
            await store.put("k", body(b"x"), KIND)


@pytest.mark.parametrize("kind", HTTP)
async def test_another_region_than_the_servers_is_no_matter_to_those_that_have_none(
    use_endpoint: Use, buckets: Buckets, kind: str, fresh_connections: None
) -> None:
    """None of the three compares it (docs/s3-compatibility.md); AWS's own answer is among the refusals in tests/store."""
    async with store_at(use_endpoint(kind), buckets(kind), "region", region="eu-nowhere-9") as store:
        await store.check()
        await store.put("k", body(b"x"), KIND)
        assert await store.head("k") is not None


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize("size", [5 * MiB - 1, 5 * MiB, 5 * MiB + 1, 10 * MiB, 10 * MiB + 1])
async def test_bodies_about_the_size_of_a_part_arrive_whole(
    use_endpoint: Use, buckets: Buckets, kind: str, size: int, tmp_path: Path
) -> None:
    """5 MiB is both where parts begin and the least that a server takes for one that is not the last."""
    data = hashlib.sha256(b"boundary").digest() * (size // 32 + 1)
    (tmp_path / "spool").write_bytes(data[:size])
    promised = Body(size, hashlib.sha256(data[:size]).hexdigest(), path=tmp_path / "spool", prefix=data[:4096])
    async with store_at(use_endpoint(kind), buckets(kind), "boundary") as store:
        stored = await store.put("k", promised, KIND)
        digest = hashlib.sha256()
        async for chunk in store.get("k"):
            digest.update(chunk)
        found = await store.head("k")
    assert (digest.hexdigest(), stored.size) == (promised.sha256, size)
    assert found is not None
    assert (found.token, found.sha256) == (stored.token, promised.sha256)
