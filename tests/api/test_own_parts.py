"""A store and a transport of the caller's own, in place of a directory, a bucket and the network."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from fixtures.images import make_image
from mediamirror import (
    CheckOptions,
    FetchOptions,
    MemoryStore,
    MirrorOptions,
    Outcome,
    ScrubOptions,
    UsageError,
    VerifyOptions,
    check,
    mirror,
    scrub,
    sync,
    verify,
)

IMAGE = make_image(64, 48, "png")
HEADER = CheckOptions(check="header")
MIRROR = MirrorOptions(fetch=FetchOptions(retries=0), check=HEADER)


class Web:
    """Answers every image, and notes what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.transport = httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(str(request.url))
        if request.url.path == "/robots.txt":
            return httpx2.Response(404)
        return httpx2.Response(200, headers={"content-type": "image/png", "etag": '"a"'}, content=IMAGE)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "page.html").write_text(
        '<img alt="" src="https://media.example/a.png" srcset="https://media.example/a.png 64w">'
    )
    return str(tmp_path / "page.html")


async def test_images_go_from_a_transport_into_a_store_and_both_stay_open(page: str) -> None:
    web, store = Web(), MemoryStore()
    summary = await mirror([page], to=store, options=MIRROR, transport=web.transport)
    assert summary.statuses == {"stored": 1}
    assert [item.key async for item in store.list()] == ["media.example/a.png"]
    assert web.asked == ["https://media.example/robots.txt", "https://media.example/a.png"]


async def test_two_runs_into_stores_of_one_name_are_in_nobodys_way_and_leave_no_catalog(
    page: str, tmp_path: Path
) -> None:
    for store in (MemoryStore(), MemoryStore()):
        summary = await mirror([page], to=store, options=MIRROR, transport=Web().transport)
        assert summary.statuses == {"stored": 1}
    assert not list((tmp_path / "state").rglob("*.sqlite"))


async def test_a_catalog_that_is_named_remembers_between_runs(page: str, tmp_path: Path) -> None:
    store, catalog = MemoryStore(), tmp_path / "own.sqlite"
    for expected in ("stored", "unchanged"):
        summary = await mirror([page], to=store, catalog=catalog, options=MIRROR, transport=Web().transport)
        assert summary.statuses == {expected: 1}
    checked = await scrub(store, catalog=catalog, options=ScrubOptions())
    assert (checked.statuses, checked.exit_code) == ({"checked": 1}, 0)


async def test_sync_and_check_take_stores(page: str) -> None:
    one, other = MemoryStore("one"), MemoryStore("other")
    await mirror([page], to=one, options=MIRROR, transport=Web().transport)
    assert (await check(one, other)).exit_code == 1
    assert (await sync(one, other)).exit_code == 0
    assert (await check(one, other)).exit_code == 0
    with pytest.raises(UsageError, match="the same place"):
        await sync(one, one)


async def test_verify_takes_a_transport(page: str) -> None:
    outcomes: list[object] = []
    options = VerifyOptions(check=HEADER, ignore=("MM4", "MM2"))
    summary = await verify([page], options=options, transport=Web().transport, on_event=outcomes.append)
    assert summary.exit_code == 0
    assert [event.status for event in outcomes if isinstance(event, Outcome)] == ["checked"]


async def test_the_guard_stands_before_a_transport_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "page.html").write_text('<img src="http://127.0.0.1/a.png">')
    web = Web()
    summary = await mirror([str(tmp_path / "page.html")], to=MemoryStore(), options=MIRROR, transport=web.transport)
    assert summary.statuses == {"failed": 1}
    assert web.asked == []
