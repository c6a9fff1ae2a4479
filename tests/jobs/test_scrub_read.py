"""One object read again and repaired: real bytes in stores in memory; only the web is made up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.images import make_image
from mediamirror.catalog.stored_sets import Expected, Recorded
from mediamirror.errors import ConnectFailed, ObjectMissing, StoreDenied, StoreError
from mediamirror.jobs.run.session import previewed
from mediamirror.jobs.run.switched_off import SwitchedOff
from mediamirror.jobs.scrub.read import ObjectReader, ScrubItem, Seen
from mediamirror.jobs.scrub.repair import Repairer
from mediamirror.jobs.sync.places import Place, place_of
from mediamirror.lint import choose_codes
from mediamirror.model import Download, ObjectEvent, StoredObject
from mediamirror.store.base import AS_ATTACHMENT, ObjectAttributes
from mediamirror.store.memory import MemoryStore
from mediamirror.store.preview import Preview
from tests.jobs.test_handle import IMAGE, KEY, URL, Refusing, Web, answer, body, sha

BAD = IMAGE[:-1] + bytes([IMAGE[-1] ^ 1])
OTHER = make_image(48, 24, "png", seed=1)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="48" height="24"/>'
ATTRIBUTES = ObjectAttributes("image/png", metadata=(("own", "1"),))


class Forgetful(MemoryStore):
    """Like a directory: it keeps no hash beside the bytes."""

    async def head(self, key: str) -> StoredObject | None:
        found = await super().head(key)
        return None if found is None else replace(found, sha256=None)


def place(store: MemoryStore, spool: Path) -> Place:
    return place_of(store, spool=spool, in_memory=1 << 20, notice=lambda *_: None)


class Mirror:
    """A store that is read, with where its repairs come from."""

    def __init__(self, spool: Path, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.second: MemoryStore | None = None
        self.web: Web | None = None
        self.repairs = True
        self.dry_run = False
        self.recorded: tuple[Recorded, ...] = (Recorded(sha(IMAGE), len(IMAGE), "lost", URL, "image/png", 1),)
        self._spool = spool

    async def hold(self, data: bytes, attributes: ObjectAttributes = ATTRIBUTES) -> None:
        await self.store.put(KEY, body(data), attributes)

    async def held(self) -> bytes | None:
        return b"".join([c async for c in self.store.get(KEY)]) if await self.store.head(KEY) else None

    async def read(self) -> Seen:
        listed = [row async for row in self.store.list()]
        store = Preview(self.store) if self.dry_run else self.store
        repairer = Repairer(
            store,
            own=place(self.store, self._spool),
            second=None if self.second is None else place(self.second, self._spool),
            fetcher=self.web,  # type: ignore[arg-type] -- of an open fetcher only `fetch` is used
            spool=self._spool,
        )
        own = place(self.store, self._spool)
        repairs = repairer if self.repairs else None
        reader = ObjectReader(store, own, choose_codes(), SwitchedOff(()), spool=self._spool, repairer=repairs)
        expected = Expected(KEY, self.recorded) if self.recorded else None
        return await reader.read(ScrubItem(0, KEY, listed[0] if listed else None, expected))


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path)


def told(seen: Seen) -> tuple[str, list[str]]:
    return seen.outcome.status.value, [finding.rule for finding in seen.findings]


def repair(seen: Seen) -> tuple[str, str]:
    assert seen.repair is not None
    return seen.repair.reason, seen.repair.error.message if seen.repair.error else ""


async def test_an_object_with_its_recorded_bytes_is_checked_and_nothing_is_said_of_it(mirror: Mirror) -> None:
    await mirror.hold(IMAGE)
    seen = await mirror.read()
    assert (told(seen), seen.bad, seen.repair) == (("checked", []), False, None)
    assert (seen.outcome.sha256, seen.outcome.size, seen.outcome.fetched_bytes) == (sha(IMAGE), len(IMAGE), len(IMAGE))


@pytest.mark.parametrize(("lost", "rule"), [("gone", "MM501"), ("changed", "MM502")])
async def test_without_repair_it_is_only_told(mirror: Mirror, lost: str, rule: str) -> None:
    mirror.repairs = False
    if lost == "changed":
        await mirror.hold(BAD)
    seen = await mirror.read()
    assert (told(seen), seen.bad, seen.repair) == (("rejected", [rule]), True, None)


async def test_an_object_that_goes_while_it_is_read_is_missing(tmp_path: Path) -> None:
    class Going(MemoryStore):
        async def get(self, key: str) -> AsyncIterator[bytes]:
            raise ObjectMissing(f"{key} is gone.")
            yield b""

    mirror = Mirror(tmp_path, Going())
    mirror.repairs = False
    await mirror.hold(IMAGE)
    assert told(await mirror.read()) == ("rejected", ["MM501"])


async def test_an_object_that_can_not_be_read_fails_and_is_not_repaired(tmp_path: Path) -> None:
    store = Refusing()
    mirror = Mirror(tmp_path, store)
    await mirror.hold(IMAGE)
    store.refused["head"] = StoreDenied("403")
    seen = await mirror.read()
    assert (told(seen), seen.bad, seen.repair) == (("failed", []), True, None)


@pytest.mark.parametrize("lost", ["gone", "changed"])
async def test_the_recorded_bytes_come_back_from_their_origin(mirror: Mirror, lost: str) -> None:
    if lost == "changed":
        await mirror.hold(BAD)
    mirror.web = Web(answer(IMAGE))
    seen = await mirror.read()
    assert (seen.outcome.status.value, seen.bad, await mirror.held()) == ("repaired", False, IMAGE)
    assert repair(seen) == (f"{'MM501' if lost == 'gone' else 'MM502'}, from {URL}", "")
    assert seen.holding is not None
    assert (seen.holding.sha256, seen.holding.size) == (sha(IMAGE), len(IMAGE))
    kept = mirror.store.attributes(KEY)
    assert kept.content_type == "image/png"
    own = ("own", "1") if lost == "changed" else ("source-url", URL)
    assert own in kept.metadata


async def test_a_second_mirror_is_asked_before_the_origin(mirror: Mirror) -> None:
    mirror.second = MemoryStore("second")
    await mirror.second.put(KEY, body(IMAGE), ATTRIBUTES)
    mirror.web = Web(answer(IMAGE))
    seen = await mirror.read()
    assert (repair(seen)[0], mirror.web.asked, await mirror.held()) == (f"MM501, from second/{KEY}", [], IMAGE)


async def test_other_bytes_are_never_stored_and_the_next_place_is_asked(mirror: Mirror) -> None:
    await mirror.hold(BAD)
    mirror.second = MemoryStore("second")
    await mirror.second.put(KEY, body(OTHER), ATTRIBUTES)
    mirror.web = Web(answer(OTHER))
    seen = await mirror.read()
    assert (seen.bad, await mirror.held()) == (True, BAD)
    _, why = repair(seen)
    assert why.count(f"has other bytes now (sha256 {sha(OTHER)[:16]}…), which were not stored") == 2
    assert seen.outcome.fetched_bytes == len(BAD) + 2 * len(OTHER)


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        ("nothing", "no place to take it from was given"),
        ("no url", "where it was fetched from is not recorded"),
        ("dead origin", "no route"),
        ("second without it", f"second/{KEY}"),
    ],
)
async def test_why_nothing_was_repaired_is_said(mirror: Mirror, prepare: str, why: str) -> None:
    match prepare:
        case "no url":
            mirror.web = Web(answer(IMAGE))
            mirror.recorded = (replace(mirror.recorded[0], url=None),)
        case "dead origin":
            mirror.web = Web(ConnectFailed("no route."))
        case "second without it":
            mirror.second = MemoryStore("second")
    seen = await mirror.read()
    assert (seen.bad, repair(seen)[1].startswith(f"It could not be repaired: {why}")) == (True, True), repair(seen)


async def test_an_object_of_which_nothing_is_recorded_is_never_called_checked(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, Forgetful())
    mirror.recorded = ()
    await mirror.hold(IMAGE)
    assert told(await mirror.read()) == ("unrecorded", ["MM507"])


async def test_an_object_that_carries_its_own_hash_is_compared_with_that(mirror: Mirror) -> None:
    mirror.recorded = ()
    await mirror.hold(IMAGE)
    assert told(await mirror.read()) == ("checked", [])


@pytest.mark.parametrize("data", [IMAGE[:40], b"<!doctype html><p>Gone"], ids=["cut", "a page"])
@pytest.mark.parametrize("recorded", [True, False])
async def test_what_should_be_an_image_and_is_none_is_told_whatever_is_recorded(
    tmp_path: Path, data: bytes, recorded: bool
) -> None:
    mirror = Mirror(tmp_path, Forgetful())
    mirror.recorded = (Recorded(sha(data), len(data), "1"),) if recorded else ()
    await mirror.hold(data)
    status, rules = told(await mirror.read())
    assert (status, rules) == ("rejected", ["MM508"] if recorded else ["MM507", "MM508"])


async def test_bytes_that_were_decoded_once_and_are_the_same_are_not_read_again(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, Forgetful())
    mirror.recorded = (Recorded(sha(IMAGE[:40]), 40, "1", decoded=1),)
    await mirror.hold(IMAGE[:40])
    assert told(await mirror.read()) == ("checked", [])


async def test_the_url_in_the_objects_own_metadata_serves_where_none_is_recorded(mirror: Mirror) -> None:
    await mirror.hold(BAD, ObjectAttributes("image/png", metadata=(("source-url", URL),)))
    mirror.recorded = (replace(mirror.recorded[0], url=None),)
    mirror.web = Web(answer(IMAGE))
    assert (await mirror.read()).outcome.status.value == "repaired"


async def test_a_dry_run_looks_for_the_bytes_and_puts_nothing(mirror: Mirror) -> None:
    await mirror.hold(BAD)
    mirror.web, mirror.dry_run = Web(answer(IMAGE)), True
    seen = await mirror.read()
    assert (seen.bad, await mirror.held(), seen.holding) == (True, BAD, None)
    said: list[ObjectEvent] = []
    previewed(said.append)(seen.repair or pytest.fail("no repair is told of"))
    assert [event.dry_run for event in said] == [True]


async def test_a_store_that_does_not_take_the_bytes_is_told_with_its_error(tmp_path: Path) -> None:
    store = Refusing()
    mirror = Mirror(tmp_path, store)
    await mirror.hold(BAD)
    store.refused["put"] = StoreError("read-only.")
    mirror.web = Web(answer(IMAGE))
    seen = await mirror.read()
    assert (seen.bad, repair(seen)) == (True, ("MM502, no place has its bytes", "read-only."))


async def test_right_bytes_under_a_wrong_type_are_stored_again_as_they_are_under_theirs(mirror: Mirror) -> None:
    await mirror.hold(IMAGE, replace(ATTRIBUTES, content_type="text/html"))
    mirror.web = Web(answer(OTHER))
    seen = await mirror.read()
    assert (seen.outcome.status.value, mirror.web.asked) == ("repaired", [])
    assert repair(seen)[0] == f"MM503, from memory/{KEY}"
    assert mirror.store.attributes(KEY).content_type == "image/png"
    assert ("own", "1") in mirror.store.attributes(KEY).metadata


async def test_bytes_that_can_not_be_read_a_second_time_stay_under_their_wrong_type(tmp_path: Path) -> None:
    class Once(MemoryStore):
        reads = 0

        async def get(self, key: str) -> AsyncIterator[bytes]:
            self.reads += 1
            if self.reads > 1:
                raise StoreDenied("403.")
            async for chunk in super().get(key):
                yield chunk

    mirror = Mirror(tmp_path, Once())
    await mirror.hold(IMAGE, replace(ATTRIBUTES, content_type="text/html"))
    seen = await mirror.read()
    assert repair(seen)[1] == "It could not be repaired: 403."
    assert mirror.store.attributes(KEY).content_type == "text/html"


@pytest.mark.parametrize("data", [SVG, IMAGE[:20], b""], ids=["a drawing", "half an image", "nothing"])
async def test_bytes_are_judged_by_what_is_recorded_of_them_whatever_they_are(mirror: Mirror, data: bytes) -> None:
    mirror.recorded = (Recorded(sha(data), len(data), "1", URL, "image/svg+xml"),)
    await mirror.hold(data, ObjectAttributes("image/svg+xml"))
    assert "MM502" not in told(await mirror.read())[1]


async def test_a_drawing_comes_back_as_an_attachment(mirror: Mirror) -> None:
    mirror.recorded = (Recorded(sha(SVG), len(SVG), "lost", URL, "image/svg+xml"),)
    mirror.web = Web(answer(SVG, "image/svg+xml"))
    assert (await mirror.read()).outcome.status.value == "repaired"
    assert mirror.store.attributes(KEY).headers == (AS_ATTACHMENT,)


@pytest.mark.parametrize("right", [True, False])
async def test_a_body_on_disk_is_gone_when_the_repair_is_done(mirror: Mirror, right: bool, tmp_path: Path) -> None:
    spooled = tmp_path / "body"
    found: Download = answer(body(IMAGE if right else OTHER, spooled))
    mirror.web = Web(found)
    seen = await mirror.read()
    assert (seen.bad, spooled.exists()) == (not right, False)


async def test_a_large_image_is_decoded_from_disk(tmp_path: Path) -> None:
    large = make_image(1200, 900, "png", seed=3)
    assert len(large) > 1 << 20
    mirror = Mirror(tmp_path, Forgetful())
    mirror.recorded = (Recorded(sha(large), len(large), "1"),)
    await mirror.hold(large)
    assert told(await mirror.read()) == ("checked", [])


async def test_what_another_program_wrote_over_is_as_recorded_again_in_one_run(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, Forgetful())
    await mirror.hold(b"<p>Not found", ObjectAttributes("text/html"))
    mirror.web = Web(answer(IMAGE))
    assert told(await mirror.read())[0] == "repaired"
    kept = mirror.store.attributes(KEY)
    assert (kept.content_type, dict(kept.metadata)) == ("image/png", {"source-url": URL, "width": "48", "height": "24"})
    seen = await mirror.read()
    assert (seen.bad, seen.findings) == (False, ())


async def test_what_the_second_mirror_keeps_beside_the_bytes_comes_back_with_them(mirror: Mirror) -> None:
    mirror.second = MemoryStore("second")
    await mirror.second.put(KEY, body(IMAGE), ATTRIBUTES)
    assert told(await mirror.read())[0] == "repaired"
    assert dict(mirror.store.attributes(KEY).metadata)["own"] == "1"
