"""The store of a dry run: it reads what is there and writes nothing, and what is to be made is not made."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from mediamirror.errors import DestinationMissing, NoSuchBucket, StoreRefused
from mediamirror.model import Body
from mediamirror.store.base import ObjectAttributes
from mediamirror.store.directory import DirectoryStore
from mediamirror.store.memory import MemoryStore
from mediamirror.store.preview import Preview

WEBP = ObjectAttributes("image/webp")


def body(data: bytes) -> Body:
    return Body(len(data), hashlib.sha256(data).hexdigest(), data=data)


async def keys(store: MemoryStore | Preview) -> list[str]:
    return [row.key async for row in store.list()]


async def test_nothing_that_is_written_arrives_and_its_row_says_what_would_have() -> None:
    real = MemoryStore()
    await real.put("a", body(b"1"), WEBP)
    preview = Preview(real)
    would = await preview.put("b", body(b"22"), WEBP)
    await preview.delete("a")
    assert (would.key, would.size, would.sha256, would.token) == ("b", 2, body(b"22").sha256, None)
    assert (await keys(real), await keys(preview), real.previews, preview.previews) == (["a"], ["a"], False, True)


async def test_what_is_read_is_what_the_store_behind_it_holds() -> None:
    real = MemoryStore("m")
    await real.put("a", body(b"1"), WEBP)
    preview = Preview(real)
    assert (preview.name, await preview.is_empty(), await preview.head("a")) == ("m", False, await real.head("a"))
    assert b"".join([chunk async for chunk in preview.get("a")]) == b"1"
    assert [page async for page in preview.pages()] == [page async for page in real.pages()]


async def test_a_directory_that_is_to_be_made_holds_nothing_and_is_not_made(tmp_path: Path) -> None:
    async with Preview(DirectoryStore(tmp_path / "m")) as preview:
        await preview.check(create=True)
        assert (await preview.is_empty(), await preview.head("a"), (tmp_path / "m").exists()) == (True, None, False)
        with pytest.raises(DestinationMissing):
            await preview.check()


async def test_of_a_bucket_that_is_not_there_it_says_what_makes_it() -> None:
    class NoBucket(MemoryStore):
        async def check(self, *, create: bool = False, writes: bool = True) -> None:
            raise StoreRefused("There is no bucket.") from NoSuchBucket("There is no bucket.")

    with pytest.raises(StoreRefused, match="--create-bucket makes it"):
        await Preview(NoBucket()).check(create=True)


async def test_a_check_that_only_reads_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    async with DirectoryStore(tmp_path) as store:
        await store.check(writes=False)
        seen = [str(path.relative_to(tmp_path)) for path in await asyncio.to_thread(lambda: list(tmp_path.rglob("*")))]
    assert seen == ["a"]
