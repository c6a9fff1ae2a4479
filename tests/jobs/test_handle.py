"""One variant through ask, check and publish: real bytes, real checks and a store in memory; only the web is made up."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fixtures.images import make_image
from mediamirror.catalog.results import Record
from mediamirror.catalog.work import KnownFetch, KnownObject, WorkItem
from mediamirror.errors import CatalogError, ConnectFailed, HTTPStatus, StoreDenied, StoreError
from mediamirror.fetch.request import Request
from mediamirror.jobs.mirror.handle import Handler, Policy, open_inspector
from mediamirror.jobs.mirror.publish import Publisher, Stripper
from mediamirror.jobs.run.lanes import Later
from mediamirror.lint import Tolerance
from mediamirror.model import (
    Body,
    Download,
    Facts,
    ImageFacts,
    OpaqueFacts,
    Promise,
    Reference,
    StoredObject,
    Variant,
)
from mediamirror.settings import CheckOptions, SelectOptions, StoreOptions
from mediamirror.store.base import AS_ATTACHMENT, ObjectAttributes
from mediamirror.store.memory import MemoryStore

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://h.example/a_48.png"
KEY = "h.example/a_48.png"
IMAGE = make_image(48, 24, "png")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="48" height="24"/>'
FACTS = ImageFacts("png", 48, 24, decoded=True)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def body(data: bytes, path: Path | None = None) -> Body:
    if path is None:
        return Body(len(data), sha(data), data=data, prefix=data[:65536])
    path.write_bytes(data)
    return Body(len(data), sha(data), path=path, prefix=data[:65536])


def answer(data: bytes | Body | None, kind: str = "image/png", status: int = 200, url: str = URL) -> Download:
    whole = body(data) if isinstance(data, bytes) else data
    return Download(url, url, status, (("content-type", kind), ("etag", '"2"')), whole, NOW)


def item(
    *, width: int | None = 48, fetch: KnownFetch | None = None, objects: tuple[KnownObject, ...] = (), url: str = URL
) -> WorkItem:
    promise = Promise(width, None, Reference("page.html", "img", "srcset", 1))
    return WorkItem(7, Variant(url, (promise,)), fetch, objects)


def fetched(
    data: bytes = IMAGE, facts: Facts | None = FACTS, *, etag: str | None = '"1"', ago: int = 3600
) -> KnownFetch:
    at = NOW - timedelta(seconds=ago)
    return KnownFetch(at, URL, 200, (("content-type", "image/png"),), etag, None, sha(data), len(data), facts)


class Web:
    """A fetcher with one answer, which may be an error; remembers what it was asked."""

    def __init__(self, found: Download | Exception) -> None:
        self.found = found
        self.asked: list[Request] = []

    async def fetch(self, request: Request) -> Download:
        self.asked.append(request)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Refusing(MemoryStore):
    """A store that refuses what it is told to refuse."""

    def __init__(self, *, put: Exception | None = None, head: Exception | None = None) -> None:
        super().__init__()
        self.refused = {"put": put, "head": head}

    async def put(self, key: str, body: Body, attributes: ObjectAttributes) -> StoredObject:
        if self.refused["put"] is not None:
            raise self.refused["put"]
        return await super().put(key, body, attributes)

    async def head(self, key: str) -> StoredObject | None:
        if self.refused["head"] is not None:
            raise self.refused["head"]
        return await super().head(key)


class Mirror:
    """A handler with its store, its web and what it noted."""

    def __init__(
        self,
        found: Download | Exception | None = None,
        *,
        store: MemoryStore | None = None,
        keep_rejected: bool = False,
        keep_svg: bool = False,
        strip: bool = False,
        was_empty: bool = False,
        **select: float | None,
    ) -> None:
        self.store = store or MemoryStore()
        self.web = Web(found if found is not None else answer(IMAGE))
        self.noted: list[Record] = []
        self.note_fails: Exception | None = None
        self._policy = Policy(Tolerance(1), keep_rejected, keep_svg, False, SelectOptions(**select), 5)  # type: ignore[arg-type]
        stripper = Stripper() if strip else None
        self._publisher = Publisher(
            self.store, StoreOptions(), was_empty=was_empty, case_insensitive=False, stripper=stripper
        )

    async def _note(self, record: Record) -> None:
        if self.note_fails is not None:
            raise self.note_fails
        self.noted.append(record)

    async def handle(self, work: WorkItem) -> Record | Later[Record]:
        async with open_inspector(CheckOptions(check="header")) as inspect:
            handler = Handler(self.web, inspect, self._publisher, self._policy, now=lambda: NOW, note=self._note)
            return await handler.handle(work)

    async def settle(self, *works: WorkItem) -> list[Record]:
        async with open_inspector(CheckOptions(check="header")) as inspect:
            handler = Handler(self.web, inspect, self._publisher, self._policy, now=lambda: NOW, note=self._note)
            return await handler.settle(works)

    async def record(self, work: WorkItem) -> Record:
        done = await self.handle(work)
        assert isinstance(done, Record)
        return done

    async def held(self) -> dict[str, bytes]:
        return {row.key: b"".join([c async for c in self.store.get(row.key)]) async for row in self.store.list()}

    async def hold(self, data: bytes = IMAGE, *, source: str | None = None) -> KnownObject:
        """Store an object as an earlier run did, and return how that recorded it."""
        row = await self.store.put(KEY, body(data), ObjectAttributes("image/png"))
        return KnownObject(KEY, sha(data), len(data), "image/png", row.token, source)


def told(record: Record) -> tuple[str, str | None, str | None]:
    outcome = record.outcome
    return outcome.status.value, outcome.key, outcome.error.code if outcome.error else None


async def test_a_sound_image_is_stored_under_its_key_after_what_was_fetched_is_noted() -> None:
    mirror = Mirror()
    record = await mirror.record(item())
    assert told(record) == ("stored", KEY, None)
    assert await mirror.held() == {KEY: IMAGE}
    assert (record.stored and record.stored.sha256, record.outcome.sent_bytes) == (sha(IMAGE), len(IMAGE))
    assert [note.outcome.sha256 for note in mirror.noted] == [sha(IMAGE)]


async def test_an_image_that_lies_about_its_width_is_rejected_and_not_stored() -> None:
    mirror = Mirror()
    record = await mirror.record(item(width=480))
    assert told(record) == ("rejected", None, "MM301")
    assert (await mirror.held(), mirror.noted) == ({}, [])


async def test_with_keep_rejected_it_is_stored_with_what_was_found() -> None:
    mirror = Mirror(keep_rejected=True)
    record = await mirror.record(item(width=480))
    assert told(record) == ("stored", KEY, None)
    assert [finding.rule for finding in record.outcome.findings] == ["MM301"]


async def test_bytes_that_are_no_image_are_rejected_by_that_name() -> None:
    record = await Mirror(answer(b"<!doctype html>", "text/html")).record(item())
    assert told(record) == ("rejected", None, "MM307")


async def test_an_image_without_a_declared_width_that_is_narrower_than_asked_for_is_skipped() -> None:
    mirror = Mirror(min_width=100)
    record = await mirror.record(item(width=None))
    assert (told(record), await mirror.held()) == (("skipped", None, None), {})


@pytest.mark.parametrize("keep_svg", [True, False])
async def test_a_drawing_is_kept_as_an_attachment_only_where_that_is_asked_for(keep_svg: bool) -> None:
    mirror = Mirror(answer(SVG, "image/svg+xml"), keep_svg=keep_svg)
    record = await mirror.record(item(width=None))
    if keep_svg:
        assert told(record) == ("stored", KEY, None)
        assert AS_ATTACHMENT in mirror.store.attributes(KEY).headers
    else:
        assert told(record) == ("rejected", None, "MM307")


async def test_a_drawing_that_an_earlier_run_kept_is_asked_for_anew_by_one_that_keeps_none() -> None:
    mirror = Mirror(answer(SVG, "image/svg+xml"))
    known = await mirror.hold(SVG)
    record = await mirror.record(item(width=None, fetch=fetched(SVG, OpaqueFacts()), objects=(known,)))
    assert (told(record), mirror.web.asked) == (("rejected", None, "MM307"), [Request(URL)])


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [(ConnectFailed("no route"), "connect-failed", None), (HTTPStatus("gone", status=404), "http-status", 404)],
)
async def test_what_can_not_be_fetched_fails_by_its_code(error: Exception, code: str, status: int | None) -> None:
    record = await Mirror(error).record(item())
    assert told(record) == ("failed", None, code)
    assert record.outcome.error is not None
    assert record.outcome.error.http_status == status


async def test_a_failure_for_the_hosts_sake_is_handed_in_again_later() -> None:
    error = ConnectFailed("the host is left alone for now")
    error.deferred = True
    done = await Mirror(error).handle(item())
    assert isinstance(done, Later)
    assert told(done.result) == ("failed", None, "connect-failed")


async def test_bytes_that_the_store_refuses_fail_but_their_exchange_is_kept() -> None:
    record = await Mirror(store=Refusing(put=StoreDenied("403"))).record(item())
    assert told(record) == ("failed", None, "store-denied")
    assert (record.stored, record.outcome.sha256, record.outcome.download is not None) == (None, sha(IMAGE), True)


async def test_a_store_that_can_not_be_asked_fails_the_item_before_anything_is_fetched() -> None:
    mirror = Mirror(store=Refusing(head=StoreError("unreachable")))
    known = KnownObject(KEY, sha(IMAGE), len(IMAGE), None, None)
    record = await mirror.record(item(fetch=fetched(), objects=(known,)))
    assert (told(record), mirror.web.asked) == (("failed", None, "store"), [])


async def test_a_catalog_that_can_not_be_written_stores_nothing_and_ends_the_run() -> None:
    mirror = Mirror()
    mirror.note_fails = CatalogError("No space left.")
    with pytest.raises(CatalogError):
        await mirror.handle(item())
    assert await mirror.held() == {}


async def test_a_defect_of_ours_costs_one_item(caplog: pytest.LogCaptureFixture) -> None:
    record = await Mirror(RuntimeError("a defect")).record(item())
    assert told(record) == ("failed", None, "internal")
    assert "RuntimeError" in (record.outcome.error.message if record.outcome.error else "")
    assert "unexpected error for https://h.example/" in caplog.text


async def test_what_is_stored_and_unchanged_is_asked_for_with_its_validators_and_not_sent_again() -> None:
    mirror = Mirror(answer(None, status=304))
    known = await mirror.hold()
    record = await mirror.record(item(fetch=fetched(), objects=(known,)))
    assert told(record) == ("unchanged", KEY, None)
    assert mirror.web.asked == [Request(URL, etag='"1"')]
    assert record.outcome.download is not None
    assert record.outcome.download.header("etag") == '"2"', "a 304 renews what is recorded"


@pytest.mark.parametrize(
    ("run_id", "asked"), [(4, 1), (5, 0)], ids=["a run that ended", "the run that is gone on with"]
)
async def test_what_a_run_fetched_that_was_killed_is_not_asked_for_when_it_goes_on(run_id: int, asked: int) -> None:
    mirror = Mirror(answer(None, status=304))
    known = await mirror.hold()
    record = await mirror.record(item(fetch=replace(fetched(), run_id=run_id), objects=(known,)))
    assert (told(record), len(mirror.web.asked)) == (("unchanged", KEY, None), asked)


async def test_what_was_checked_a_moment_ago_is_not_asked_for() -> None:
    mirror = Mirror(fresh_for=7200.0)
    known = await mirror.hold()
    record = await mirror.record(item(fetch=fetched(), objects=(known,)))
    assert (told(record), mirror.web.asked) == (("unchanged", KEY, None), [])
    assert record.outcome.download is None


async def test_what_needs_no_question_is_settled_at_once_as_it_would_be_alone_and_the_rest_is_left() -> None:
    mirror = Mirror(fresh_for=7200.0)
    known = await mirror.hold()
    fresh = item(fetch=fetched(), objects=(known,))
    rest = (
        item(),
        item(width=96, fetch=fetched(), objects=(known,)),
        item(fetch=fetched(ago=9000), objects=(known,)),
        item(fetch=fetched(facts=None), objects=(known,)),
        item(fetch=fetched(), objects=(replace(known, size=1),)),
        item(fetch=fetched(), objects=(replace(known, key="h.example/other.png"),)),
    )
    assert await mirror.settle(fresh, *rest) == [await mirror.record(fresh)]
    assert mirror.web.asked == []


@pytest.mark.parametrize("lost", ["gone", "size", "bytes"])
async def test_what_the_store_lost_or_holds_otherwise_is_fetched_whole_and_stored_again(lost: str) -> None:
    mirror = Mirror()
    known = await mirror.hold()
    match lost:
        case "gone":
            await mirror.store.delete(KEY)
        case "size":
            await mirror.hold(IMAGE + b"x")
        case "bytes":
            await mirror.hold(IMAGE[:-1] + b"x")
    record = await mirror.record(item(fetch=fetched(), objects=(known,)))
    assert (told(record), mirror.web.asked) == (("stored", KEY, None), [Request(URL)])
    assert await mirror.held() == {KEY: IMAGE}


async def test_bytes_that_a_killed_run_stored_before_its_row_are_told_by_their_hash_and_not_downloaded() -> None:
    mirror = Mirror(answer(None, status=304))
    await mirror.hold()
    record = await mirror.record(item(fetch=fetched()))
    assert (told(record), mirror.web.asked) == (("unchanged", KEY, None), [Request(URL, etag='"1"')])
    assert record.stored is not None, "so that the row is written now"


async def test_a_304_that_nobody_asked_for_is_a_failure() -> None:
    record = await Mirror(answer(None, status=304)).record(item())
    assert told(record) == ("failed", None, "unasked-304")


async def test_unchanged_bytes_that_break_a_promise_today_are_rejected_without_a_download() -> None:
    mirror = Mirror(answer(None, status=304))
    record = await mirror.record(item(width=480, fetch=fetched()))
    assert (told(record), len(mirror.web.asked)) == (("rejected", None, "MM301"), 1)


async def test_unchanged_bytes_that_are_narrower_than_asked_for_today_are_skipped() -> None:
    mirror = Mirror(answer(None, status=304), min_width=100)
    assert told(await mirror.record(item(width=None, fetch=fetched()))) == ("skipped", None, None)


async def test_what_was_stored_stripped_is_unchanged_with_both_hashes() -> None:
    mirror = Mirror(answer(None, status=304), strip=True)
    stripped = make_image(48, 24, "png") + b""
    known = await mirror.hold(stripped, source=sha(b"with metadata"))
    record = await mirror.record(item(fetch=fetched(b"with metadata", replace(FACTS, has_gps=True)), objects=(known,)))
    source = record.outcome.source
    assert told(record) == ("unchanged", KEY, None)
    assert source is not None
    assert (record.outcome.sha256, source.sha256) == (sha(stripped), sha(b"with metadata"))
    assert isinstance(record.outcome.facts, ImageFacts)
    assert record.outcome.facts.has_gps is False, "what is stored holds no position any more"


@pytest.mark.parametrize("fate", ["stored", "rejected", "failed", "no image", "catalog"])
async def test_a_body_on_disk_is_gone_when_its_item_is_done_whatever_became_of_it(fate: str, tmp_path: Path) -> None:
    spooled = tmp_path / "body"
    data = b"<!doctype html>" if fate == "no image" else IMAGE
    store = Refusing(put=StoreDenied("403")) if fate == "failed" else MemoryStore()
    mirror = Mirror(answer(body(data, spooled)), store=store)
    mirror.note_fails = CatalogError("No space left.") if fate == "catalog" else None
    await asyncio.gather(mirror.handle(item(width=480 if fate == "rejected" else 48)), return_exceptions=True)
    assert (len(mirror.web.asked), spooled.exists()) == (1, False)


async def test_a_body_on_disk_is_gone_when_its_item_is_cancelled(tmp_path: Path) -> None:
    spooled = tmp_path / "body"
    begun = asyncio.Event()

    class Slow(MemoryStore):
        async def put(self, *_: object) -> StoredObject:
            begun.set()
            await asyncio.get_running_loop().create_future()
            raise AssertionError

    mirror = Mirror(answer(body(IMAGE, spooled)), store=Slow())
    task = asyncio.create_task(mirror.handle(item()))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (task.cancelled(), spooled.exists()) == (True, False)


class Crowded(MemoryStore):
    """A store that takes a while for each object; remembers how many it wrote at once at most."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0

    async def put(self, key: str, body: Body, attributes: ObjectAttributes) -> StoredObject:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return await super().put(key, body, attributes)


async def test_no_more_objects_are_written_at_once_than_requests_may_run() -> None:
    store = Crowded()
    policy = Policy(Tolerance(1), False, False, False, SelectOptions(), 5, stores_at_once=3)
    publisher = Publisher(store, StoreOptions(), was_empty=True, case_insensitive=False)
    async with open_inspector(CheckOptions(check="header")) as inspect:
        handler = Handler(Web(answer(IMAGE)), inspect, publisher, policy, now=lambda: NOW)
        works = [item(url=f"https://h.example/a_48.png?{number}") for number in range(12)]
        await asyncio.gather(*map(handler.handle, works))
    assert (store.most, len([row async for row in store.list()])) == (3, 12)
