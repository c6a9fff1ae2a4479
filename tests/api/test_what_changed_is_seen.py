"""A second run sees what changed at the origin, whatever the origin's validators are worth."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from fixtures.images import make_image
from mediamirror import (
    CheckOptions,
    FetchOptions,
    MemoryStore,
    MirrorOptions,
    SelectOptions,
    StoreOptions,
    Summary,
    mirror,
)

PNG, GIF, NEWER = make_image(64, 48, "png"), make_image(64, 48, "gif"), make_image(64, 40, "png")
DATE = "Sat, 01 Mar 2025 10:00:00 GMT"


class Site:
    """Answers with a PNG, or a GIF to who accepts that alone; ``manner`` is what its validators are."""

    def __init__(self, manner: str) -> None:
        self.manner = manner
        self.body = PNG
        self.asked: list[httpx2.Headers] = []
        self.transport = httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/robots.txt":
            return httpx2.Response(404)
        self.asked.append(request.headers)
        gif = "image/gif" in request.headers.get("accept", "")
        mime, body = ("image/gif", GIF) if gif else ("image/png", self.body)
        headers = {"content-type": mime, "vary": "Accept, X-Screen"} | self._validators(body)
        if self._is_unchanged(request.headers, headers):
            return httpx2.Response(304, headers=headers)
        return httpx2.Response(200, headers=headers, content=body)

    def _validators(self, body: bytes) -> dict[str, str]:
        tag = {"etag": '"always"'} if self.manner == "lying tag" else {"etag": f'"{len(body)}"'}
        return {"tag": tag, "date": {}, "date first": tag, "lying tag": tag, "none": {}}[self.manner] | (
            {"last-modified": DATE} if self.manner in {"date", "date first"} else {}
        )

    def _is_unchanged(self, asked: httpx2.Headers, ours: dict[str, str]) -> bool:
        by_date = asked.get("if-modified-since") == ours.get("last-modified", "?")
        return by_date or asked.get("if-none-match") == ours.get("etag", "?")


class Mirror:
    def __init__(self, site: Site, folder: Path) -> None:
        self._site, self._catalog, self.page = site, folder / "c.sqlite", folder / "page.html"
        self.page.write_text('<img alt="" src="https://media.example/boat.png">')
        self.store = MemoryStore()

    async def run(self, *headers: tuple[str, str], store: StoreOptions | None = None, **select: object) -> Summary:
        options = MirrorOptions(
            fetch=FetchOptions(retries=0, headers=headers),
            check=CheckOptions(check="header"),
            select=SelectOptions(**select),  # type: ignore[arg-type]
            store=store or StoreOptions(),
        )
        transport, catalog = self._site.transport, self._catalog
        return await mirror([str(self.page)], to=self.store, catalog=catalog, options=options, transport=transport)

    async def held(self) -> bytes:
        return b"".join([chunk async for chunk in self.store.get("media.example/boat.png")])


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize("manner", ["tag", "date", "date first", "lying tag"])
@pytest.mark.parametrize("fresh_for", [0.0, 3600.0])
async def test_a_validator_belongs_to_the_accept_that_it_was_given_for(
    tmp_path: Path, manner: str, fresh_for: float
) -> None:
    mirror = Mirror(Site(manner), tmp_path)
    await mirror.run(fresh_for=fresh_for)
    assert (await mirror.run(("Accept", "image/gif"), fresh_for=fresh_for)).statuses == {"stored": 1}
    assert await mirror.held() == GIF
    assert (await mirror.run(("Accept", "image/gif"), fresh_for=fresh_for)).statuses == {"unchanged": 1}
    assert (await mirror.run(fresh_for=fresh_for)).statuses == {"stored": 1}


async def test_a_header_that_vary_names_makes_another_question_and_no_other_does(tmp_path: Path) -> None:
    site = Site("tag")
    mirror = Mirror(site, tmp_path)
    await mirror.run()
    await mirror.run(("X-Other", "1"))
    assert site.asked[-1]["if-none-match"]
    await mirror.run(("X-Screen", "1"))
    assert "if-none-match" not in site.asked[-1]


async def test_with_a_tag_in_hand_the_tag_alone_is_asked_about(tmp_path: Path) -> None:
    site = Site("date first")
    mirror = Mirror(site, tmp_path)
    await mirror.run()
    site.body = NEWER
    await mirror.run()
    assert await mirror.held() == NEWER


async def test_refetch_asks_plainly_and_sees_what_a_lying_tag_hides(tmp_path: Path) -> None:
    site = Site("lying tag")
    mirror = Mirror(site, tmp_path)
    await mirror.run()
    site.body = NEWER
    assert (await mirror.run()).statuses == {"unchanged": 1}
    await mirror.run(refetch=True, fresh_for=3600.0)
    assert {"if-none-match", "if-modified-since"}.isdisjoint(site.asked[-1])
    assert await mirror.held() == NEWER


async def test_with_true_endings_a_negotiated_file_is_named_as_its_bytes_are(tmp_path: Path) -> None:
    site = Site("tag")
    mirror = Mirror(site, tmp_path)
    mirror.page.write_text('<img alt="" src="https://media.example/boat.jpg">')
    for expected in ("stored", "unchanged"):
        summary = await mirror.run(store=StoreOptions(true_endings=True))
        assert (summary.statuses, summary.findings) == ({expected: 1}, {})
    (held,) = [each async for each in mirror.store.list()]
    assert re.fullmatch(r"media\.example/boat~[0-9a-f]{10}\.png", held.key)


async def test_the_summary_says_how_many_bytes_came_for_nothing(tmp_path: Path) -> None:
    mirror = Mirror(Site("none"), tmp_path)
    assert (await mirror.run()).bytes_unchanged == 0
    again = await mirror.run()
    assert (again.statuses, again.bytes_unchanged, again.bytes_in) == ({"unchanged": 1}, len(PNG), len(PNG))


async def test_a_second_run_of_unchanged_images_asks_once_for_each_and_moves_no_body(tmp_path: Path) -> None:
    site = Site("tag")
    mirror = Mirror(site, tmp_path)
    mirror.page.write_text("".join(f'<img alt="" src="https://media.example/{n}.png">' for n in range(500)))
    await mirror.run()
    site.asked.clear()
    again = await mirror.run()
    assert (again.statuses, again.bytes_in, again.bytes_unchanged) == ({"unchanged": 500}, 0, 0)
    assert len(site.asked) == 500
