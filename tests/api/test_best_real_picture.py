"""`mirror` keeps the best real picture of a set whose files have fewer pixels than is written."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from fixtures.images import make_image
from mediamirror import CheckOptions, FetchOptions, MemoryStore, MirrorOptions, Outcome, SelectOptions, mirror
from mediamirror.jobs.mirror.plan import told
from mediamirror.model import Event, Problem, SetResult, SetRow, Status


class Site:
    """Resizes a picture of 3 by 2 as an address asks, and never enlarges it; ``odd`` are sizes of files that are another picture."""

    def __init__(self, original: int, odd: dict[int, tuple[int, int]] | None = None) -> None:
        self._original = original
        self._odd = odd or {}
        self.asked: list[int] = []
        self.transport = httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        found = re.fullmatch(r"/([0-9]+)/boat\.png", request.url.path)
        if found is None:
            return httpx2.Response(404)
        asked = int(found[1])
        width = min(asked, self._original)
        size = self._odd.get(asked, (width, round(width * 2 / 3)))
        tag = f'"{size}"'
        self.asked.append(asked)
        if request.headers.get("if-none-match") == tag:
            return httpx2.Response(304, headers={"etag": tag})
        return httpx2.Response(
            200, headers={"content-type": "image/png", "etag": tag}, content=make_image(*size, "png")
        )


def page(tmp_path: Path, *widths: int) -> str:
    rungs = ", ".join(f"https://media.example/{width}/boat.png {width}w" for width in widths)
    (tmp_path / "page.html").write_text(f'<img alt="" sizes="100vw" srcset="{rungs}">')
    return str(tmp_path / "page.html")


class Run:
    """One run, with what it told."""

    def __init__(self, site: Site, store: MemoryStore, select: SelectOptions) -> None:
        self._site, self._store = site, store
        self._options = MirrorOptions(fetch=FetchOptions(retries=0), check=CheckOptions(check="header"), select=select)
        self.events: list[Event] = []

    async def of(self, source: str, catalog: Path) -> dict[int, str]:
        self.summary = await mirror(
            [source],
            to=self._store,
            catalog=catalog,
            options=self._options,
            transport=self._site.transport,
            on_event=self.events.append,
        )
        told = [event for event in self.events if isinstance(event, Outcome)]
        return {int(re.findall(r"/([0-9]+)/", each.variant.url)[0]): each.status.value for each in told}


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("original", "odd", "widths", "stored"),
    [
        # nothing was enlarged: one copy of six
        (400, {}, (640, 828, 1080, 1200, 1920, 3840), [640]),
        # the ladder ends at the original
        (1600, {}, (640, 1200, 1920, 2048, 3840), [640, 1200, 1920]),
        (1000, {}, (400, 3840), [400, 3840]),
        # a sound file has as many pixels
        (1200, {}, (640, 1200, 1920), [640, 1200]),
        # a rung in the middle that is too small is a lie
        (2000, {960: (500, 333)}, (640, 960, 1920), [640, 1920]),
        # another shape is another picture
        (2000, {1920: (1500, 500)}, (640, 1280, 1920), [640, 1280]),
        # a lone file has nothing to bear it out
        (400, {}, (640,), []),
        # a server that makes every file too small does not lack pixels
        (2000, {320: (280, 187), 640: (600, 400)}, (320, 640), []),
        # a spacer in place of each
        (2000, {640: (1, 1), 960: (1, 1)}, (640, 960), []),
    ],
)
async def test_the_best_that_there_is_is_stored_once(
    tmp_path: Path, original: int, odd: dict[int, tuple[int, int]], widths: tuple[int, ...], stored: list[int]
) -> None:
    run = Run(Site(original, odd), store := MemoryStore(), SelectOptions())
    became = await run.of(page(tmp_path, *widths), tmp_path / "c.sqlite")
    assert became == {width: "stored" if width in stored else "rejected" for width in widths}
    assert len([each async for each in store.list()]) == len(stored)
    assert run.summary.statuses.get("stored", 0) + run.summary.statuses.get("rejected", 0) == len(widths)


async def test_the_run_says_what_the_ladder_really_is(tmp_path: Path) -> None:
    run = Run(Site(400), MemoryStore(), SelectOptions())
    await run.of(page(tmp_path, 640, 1920), tmp_path / "c.sqlite")
    (said,) = [event for event in run.events if isinstance(event, Problem)]
    assert said.message.startswith("Declared up to 1920w, and the widest file has 400 pixels")
    (kept,) = [e for e in run.events if isinstance(e, Outcome) and e.status == "stored"]
    assert [finding.rule for finding in kept.findings] == ["MM301"]


@pytest.mark.parametrize(
    ("widths", "said"),
    [
        (
            (640, 1920),
            "Declared up to 1920w, and the widest file has 400 pixels: nothing was enlarged. It is kept once, as 640w, and what "
            "claims more is left out.",
        ),
        (
            (320, 1920),
            "Declared up to 1920w, and the widest file has 400 pixels: nothing was enlarged. It is kept once, as 1920w.",
        ),
    ],
)
async def test_what_is_left_out_is_said_only_where_something_is(
    tmp_path: Path, widths: tuple[int, ...], said: str
) -> None:
    run = Run(Site(400), MemoryStore(), SelectOptions())
    await run.of(page(tmp_path, *widths), tmp_path / "c.sqlite")
    assert [event.message for event in run.events if isinstance(event, Problem)] == [said]


def test_without_a_width_descriptor_the_address_is_what_asked() -> None:
    wide, wider = (SetRow(f"https://m.example/{n}", density=n, status=Status.REJECTED, width=400) for n in (1.0, 2.0))
    said = told(SetResult("p.html", 1, (wide, wider)), wide)
    assert said.startswith("The widest file has 400 pixels, fewer than its address asks for: nothing was enlarged.")


async def test_a_second_run_asks_for_each_once_and_moves_no_body(tmp_path: Path) -> None:
    site, store, source = Site(400), MemoryStore(), page(tmp_path, 640, 828, 1920)
    await Run(site, store, SelectOptions()).of(source, tmp_path / "c.sqlite")
    site.asked.clear()
    again = Run(site, store, SelectOptions())
    became = await again.of(source, tmp_path / "c.sqlite")
    assert became == {640: "unchanged", 828: "rejected", 1920: "rejected"}
    assert (sorted(site.asked), again.summary.bytes_in) == ([640, 828, 1920], 0)


@pytest.mark.parametrize(
    ("rungs", "original", "odd", "expected"),
    [
        # no other rung even claims as many pixels
        ("largest", 700, {}, {400: "skipped", 640: "skipped", 960: "stored"}),
        # the largest is another picture's size: the next in turn
        ("largest", 500, {}, {400: "skipped", 640: "stored", 960: "rejected"}),
        ("largest", 2000, {960: (8, 8)}, {400: "skipped", 640: "stored", 960: "rejected"}),
        # a number: the next wider, or else the next narrower
        ("640", 2000, {640: (8, 8)}, {400: "skipped", 640: "rejected", 960: "stored"}),
        ("400", 2000, {400: (8, 8)}, {400: "rejected", 640: "stored", 960: "skipped"}),
    ],
)
async def test_where_the_chosen_rung_is_refused_the_next_best_takes_its_place(
    tmp_path: Path, rungs: str, original: int, odd: dict[int, tuple[int, int]], expected: dict[int, str]
) -> None:
    run = Run(Site(original, odd), MemoryStore(), SelectOptions(rungs=rungs))
    assert await run.of(page(tmp_path, 400, 640, 960), tmp_path / "c.sqlite") == expected
    counts = {status: list(expected.values()).count(status) for status in set(expected.values())}
    assert {status: count for status, count in run.summary.statuses.items() if count} == counts


async def test_nothing_below_the_least_width_is_kept_as_the_best(tmp_path: Path) -> None:
    run = Run(Site(400), MemoryStore(), SelectOptions(min_width=640))
    assert await run.of(page(tmp_path, 640, 1920), tmp_path / "c.sqlite") == {640: "rejected", 1920: "rejected"}
