"""Putting verified bytes into a store at most once: which key, what is there already, who gives up when."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fixtures.images import encode, exif_block, photo
from mediamirror.catalog.work import KnownFetch, KnownObject, WorkItem
from mediamirror.errors import StoreDenied, StoreError, StoreStopped
from mediamirror.jobs.mirror.publish import ENDURED, SOURCE_SHA256, Publisher, Stripper
from mediamirror.model import Body, Facts, ImageFacts, OpaqueFacts, StoredObject, Variant
from mediamirror.settings import StoreOptions
from mediamirror.store.base import AS_ATTACHMENT, ObjectAttributes, Store
from mediamirror.store.directory import DirectoryStore
from mediamirror.store.memory import MemoryStore
from tests.jobs.test_handle import IMAGE, KEY, NOW, URL, body, sha

FACTS = ImageFacts("png", 48, 24, decoded=True)
HASHED = StoreOptions(layout="hash")


class Counting(MemoryStore):
    """A store that counts what is put, and takes a moment for it."""

    def __init__(self) -> None:
        super().__init__()
        self.puts = 0
        self.error: StoreError | None = None

    async def put(self, key: str, body: Body, attributes: ObjectAttributes) -> StoredObject:
        self.puts += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return await super().put(key, body, attributes)


def publisher(
    store: Store, options: StoreOptions | None = None, *, was_empty: bool = False, strip: bool = False
) -> Publisher:
    stripper = Stripper() if strip else None
    return Publisher(store, options or StoreOptions(), was_empty=was_empty, case_insensitive=False, stripper=stripper)


def item(url: str = URL, fetch: KnownFetch | None = None, *objects: KnownObject) -> WorkItem:
    return WorkItem(1, Variant(url), fetch, objects)


def fetched(data: bytes = IMAGE, facts: Facts | None = FACTS) -> KnownFetch:
    return KnownFetch(NOW, URL, 200, (), None, None, sha(data), len(data), facts)


async def publish(
    publisher: Publisher, data: bytes = IMAGE, url: str = URL, kept: KnownObject | None = None
) -> tuple[str, str, int]:
    done = await publisher.publish(item(url), kept, body(data), FACTS)
    return done.status.value, done.stored.key, done.sent_bytes


async def test_in_the_path_layout_the_key_is_known_before_the_bytes_and_in_the_hash_layout_it_is_not() -> None:
    assert publisher(MemoryStore()).key(URL) == KEY
    assert publisher(MemoryStore(), HASHED).key(URL) is None
    assert (
        publisher(MemoryStore(), HASHED).key(URL, sha256="ab" * 32, image_format="png")
        == f"sha256/ab/ab/{'ab' * 32}.png"
    )


async def test_an_object_that_is_there_with_these_bytes_is_not_put_again() -> None:
    store = Counting()
    assert await publish(publisher(store)) == ("stored", KEY, len(IMAGE))
    assert await publish(publisher(store)) == ("unchanged", KEY, 0)
    assert store.puts == 1


async def test_an_object_that_the_run_has_confirmed_is_not_even_asked_for() -> None:
    store = Counting()
    kept = KnownObject(KEY, sha(IMAGE), len(IMAGE), "image/png", "1")
    assert await publish(publisher(store), kept=kept) == ("unchanged", KEY, 0)
    assert store.puts == 0


@pytest.mark.parametrize("other", [IMAGE + b"x", IMAGE[:-1] + b"x"], ids=["other size", "same size"])
async def test_an_object_with_other_bytes_is_replaced(other: bytes) -> None:
    store = Counting()
    await store.put(KEY, body(other), ObjectAttributes("image/png"))
    assert await publish(publisher(store)) == ("stored", KEY, len(IMAGE))


@pytest.mark.parametrize("other", [None, IMAGE[:-1] + b"x"], ids=["same bytes", "other bytes"])
async def test_in_a_directory_which_keeps_no_hash_the_bytes_themselves_are_compared(
    other: bytes | None, tmp_path: Path
) -> None:
    store = DirectoryStore(tmp_path / "m")
    await store.check(create=True)
    await store.put(KEY, body(other or IMAGE), ObjectAttributes("image/png"))
    status = "unchanged" if other is None else "stored"
    assert await publish(publisher(store)) == (status, KEY, 0 if other is None else len(IMAGE))
    assert (tmp_path / "m" / KEY).read_bytes() == IMAGE


async def test_in_a_store_that_was_empty_no_key_is_asked_for() -> None:
    class Deaf(Counting):
        async def head(self, key: str) -> StoredObject | None:
            raise AssertionError(key)

    assert await publish(publisher(Deaf(), was_empty=True)) == ("stored", KEY, len(IMAGE))


async def test_two_urls_with_the_same_bytes_share_one_object_in_the_hash_layout_though_both_come_at_once() -> None:
    store = Counting()
    both = publisher(store, HASHED)
    done = await asyncio.gather(publish(both), publish(both, url="https://h.example/b.png"))
    digest = sha(IMAGE)
    key = f"sha256/{digest[:2]}/{digest[2:4]}/{digest}.png"
    assert sorted(done) == [("duplicate", key, 0), ("stored", key, len(IMAGE))]
    assert store.puts == 1


async def test_an_object_tells_where_it_came_from_and_how_large_it_is_and_a_long_url_is_left_out() -> None:
    store = MemoryStore()
    options = StoreOptions(metadata=(("own", "1"),), cache_control="max-age=9", acl="private", storage_class="COLD")
    await publish(publisher(store, options))
    given = store.attributes(KEY)
    assert given.metadata == (("own", "1"), ("source-url", URL), ("width", "48"), ("height", "24"))
    assert (given.cache_control, given.acl, given.storage_class) == ("max-age=9", "private", "COLD")
    long = f"https://h.example/{'a' * 2000}.png"
    done = await publisher(store).publish(item(long), None, body(IMAGE), FACTS)
    assert [name for name, _ in store.attributes(done.stored.key).metadata] == ["width", "height"]


async def test_a_drawing_is_stored_as_an_attachment_and_tells_no_size() -> None:
    store = MemoryStore()
    await publisher(store).publish(item(), None, body(b"<svg/>"), OpaqueFacts())
    given = store.attributes(KEY)
    assert (given.content_type, given.headers) == ("image/svg+xml", (AS_ATTACHMENT,))
    assert [name for name, _ in given.metadata] == ["source-url"]


async def test_with_a_stripper_what_it_makes_is_stored_under_a_record_of_both_hashes() -> None:
    store = MemoryStore()
    data = encode(photo(48, 24), "png", exif=exif_block(gps=True))
    strip = publisher(store, strip=True)
    done = await strip.publish(item(), None, body(data), FACTS)
    held = b"".join([chunk async for chunk in store.get(KEY)])
    assert b"eXIf" in data
    assert (b"eXIf" in held, done.sha256, done.source and done.source.sha256) == (False, sha(held), sha(data))
    assert dict(store.attributes(KEY).metadata)[SOURCE_SHA256] == sha(data)
    again = await strip.publish(item(), None, body(data), FACTS)
    assert again.status.value == "unchanged"


async def test_what_was_stored_as_it_came_is_looked_at_once_by_a_run_that_strips() -> None:
    store = MemoryStore()
    row = await store.put(KEY, body(IMAGE), ObjectAttributes("image/png"))
    plain = KnownObject(KEY, sha(IMAGE), len(IMAGE), "image/png", row.token)
    looked_at = KnownObject(KEY, sha(IMAGE), len(IMAGE), "image/png", row.token, source_sha256=sha(IMAGE))
    strip = publisher(store, strip=True)
    assert await strip.confirm(item(URL, fetched(), plain)) is None
    assert await strip.confirm(item(URL, fetched(), looked_at)) == looked_at
    assert await strip.adopt(item(URL, fetched())) is None


async def test_an_object_is_confirmed_only_as_what_it_was_recorded_as() -> None:
    store = MemoryStore()
    row = await store.put(KEY, body(IMAGE), ObjectAttributes("image/png"))
    known = KnownObject(KEY, sha(IMAGE), len(IMAGE), "image/png", row.token)
    ready = publisher(store)
    assert await ready.confirm(item(URL, fetched(), known)) == known
    assert await ready.confirm(item(URL, fetched(b"other bytes"), known)) is None, "of another download"
    assert await ready.confirm(item(URL, fetched(facts=None), known)) is None, "never a sound image"
    assert await ready.confirm(item("https://h.example/b.png", fetched(), known)) is None, "under another key today"
    assert await ready.confirm(item(URL)) is None, "never fetched"


async def test_in_a_directory_the_change_token_stands_for_the_bytes(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "m")
    await store.check(create=True)
    row = await store.put(KEY, body(IMAGE), ObjectAttributes("image/png"))
    known = KnownObject(KEY, sha(IMAGE), len(IMAGE), "image/png", row.token)
    assert await publisher(store).confirm(item(URL, fetched(), known)) == known
    (tmp_path / "m" / KEY).write_bytes(IMAGE[:-1] + b"x")
    assert await publisher(store).confirm(item(URL, fetched(), known)) is None


async def test_bytes_without_a_row_are_adopted_by_key_and_hash_and_not_asked_for_in_a_store_that_was_empty() -> None:
    store = MemoryStore()
    await store.put(KEY, body(IMAGE), ObjectAttributes("image/png"))
    found = await publisher(store).adopt(item(URL, fetched()))
    assert (found and found.key, found and found.sha256) == (KEY, sha(IMAGE))
    assert await publisher(store).adopt(item(URL, fetched(b"other"))) is None
    assert await publisher(store).adopt(item(URL)) is None
    assert await publisher(store, was_empty=True).adopt(item(URL, fetched())) is None


async def test_a_destination_that_refuses_everything_is_left_alone_after_a_while_and_says_why() -> None:
    store = Counting()
    ready = publisher(store, was_empty=True)
    store.error = StoreDenied("403 for all.")
    for _ in range(ENDURED):
        with pytest.raises(StoreDenied):
            await publish(ready)
        if _ < ENDURED - 1:
            await ready.confirm(item())
    with pytest.raises(StoreStopped, match=r"failed 50 objects in a row. The last: 403 for all\."):
        await ready.confirm(item())


@pytest.mark.parametrize("mended", [True, False], ids=["one is stored", "the fault is the object's own"])
async def test_failures_that_are_not_all_the_destinations_do_not_stop_the_run(mended: bool) -> None:
    store = Counting()
    ready = publisher(store, was_empty=True)
    for number in range(3 * ENDURED):
        works = mended and number % ENDURED == ENDURED - 1
        store.error = None if works else StoreDenied("403") if mended else StoreError("its name is too long")
        if works:
            await publish(ready)
        else:
            with pytest.raises(StoreError):
                await publish(ready)
    assert await ready.confirm(item()) is None
