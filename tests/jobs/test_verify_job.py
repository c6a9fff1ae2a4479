"""Judging documents of a built site in this process: pages and images are real files, and nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from fixtures.images import make_image
from mediamirror import verify
from mediamirror.errors import BadContentEncoding, ConnectFailed, HTTPStatus
from mediamirror.jobs.verify.look import Looked, Looker
from mediamirror.model import Body, Download, Finding, ImageFacts, Outcome, SetResult, Suppressed
from mediamirror.settings import CheckOptions, PerPath, VerifyOptions
from tests.jobs.test_handle import IMAGE, NOW, URL, Web, answer, body

HEADER = CheckOptions(check="header")
SOUND = '<img alt="" src="/a-48.png" srcset="/a-48.png 48w, /a-96.png 96w" sizes="100vw">'
LIE = '<img alt="" src="/a-48.png" srcset="/a-48.png 48w, /a-96.png 960w" sizes="100vw">'
LOST = '<img alt="" src="/none.png">'


class Site:
    """A folder with two images and whatever pages a test writes; `verify` tells what was said of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for width in (48, 96):
            (folder / f"a-{width}.png").write_bytes(make_image(width, 24, "png"))

    def page(self, html: str, name: str = "page.html") -> str:
        path = self.folder / name
        path.write_text(f"<!doctype html><html lang=en><title>x</title>{html}")
        return str(path)

    async def verify(self, *inputs: str, **options: object) -> tuple[int, list[object]]:
        events: list[object] = []
        chosen = VerifyOptions(check=HEADER, root=self.folder, select=("MM301",), **options)  # type: ignore[arg-type]
        summary = await verify(list(inputs), options=chosen, on_event=events.append)
        return summary.exit_code, events


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def rules(events: Sequence[object]) -> list[str]:
    return [event.rule for event in events if isinstance(event, Finding)]


def checked(events: Sequence[object]) -> dict[str, str]:
    return {e.variant.url.rsplit("/", 1)[1]: e.status.value for e in events if isinstance(e, Outcome)}


async def test_a_sound_page_has_no_finding_and_every_variant_is_looked_at_once(site: Site) -> None:
    code, events = await site.verify(site.page(SOUND + SOUND))
    assert (code, rules(events), checked(events)) == (0, [], {"a-48.png": "checked", "a-96.png": "checked"})


async def test_a_variant_that_lies_about_its_width_is_one_error(site: Site) -> None:
    code, events = await site.verify(site.page(LIE))
    assert (code, rules(events)) == (1, ["MM301"])
    (result,) = [event for event in events if isinstance(event, SetResult)]
    assert [(row.declared_width, row.width) for row in result.rows if row.declared_width] == [(48, 48), (960, 96)]


async def test_a_file_that_is_not_there_is_told(site: Site) -> None:
    code, events = await site.verify(site.page(LOST))
    assert (code, checked(events)) == (1, {"none.png": "failed"})


async def test_the_same_lie_on_two_pages_is_told_on_both(site: Site) -> None:
    code, events = await site.verify(site.page(LIE), site.page(LIE, "other.html"))
    assert (code, rules(events)) == (1, ["MM301", "MM301"])


async def test_what_a_baseline_accepts_is_not_told_again_and_what_is_new_is(site: Site, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    code, _ = await site.verify(site.page(LIE), write_baseline=baseline)
    assert code == 0, "to write a baseline is to accept"
    assert (await site.verify(site.page(LIE), baseline=baseline))[0] == 0
    code, events = await site.verify(site.page(LIE + LIE.replace("96.png 960w", "96.png 970w")), baseline=baseline)
    assert (code, rules(events)) == (1, ["MM301"])


async def test_a_rule_that_is_switched_off_for_a_path_is_counted_and_not_told(site: Site) -> None:
    off = (PerPath(("MM301",), "known", site.folder / "mediamirror.toml", path="page.html"),)
    code, events = await site.verify(site.page(LIE), per_path=off)
    assert (code, rules(events), sum(isinstance(event, Suppressed) for event in events)) == (0, [], 1)


async def test_an_element_of_which_nothing_can_be_fetched_keeps_its_alt_text_and_its_place(site: Site) -> None:
    html = '\n<img alt="First" src="/a-48.png" srcset="/a-48.png 4w">\n<img alt="Nothing" src="">\n'
    events: list[object] = []
    options = VerifyOptions(check=HEADER, root=site.folder, select=("MM301", "MM101"))
    await verify([site.page(html + LIE)], options=options, on_event=events.append)
    results = [event for event in events if isinstance(event, SetResult)]
    assert [(result.alt, len(result.rows)) for result in results] == [("First", 2), ("Nothing", 0), ("", 3)]


def part(total: int, *, status: int = 206) -> Download:
    headers = (("content-type", "image/png"), ("content-range", f"bytes 0-{len(IMAGE) - 1}/{total}"))
    return Download(URL, URL, status, headers, body(IMAGE), NOW)


async def look(web: Web) -> Looked:
    return await Looker(web.fetch, None, HEADER).look(URL)


async def test_a_header_check_asks_for_the_first_bytes_and_counts_what_that_spared() -> None:
    web = Web(part(1_000_000))
    looked = await look(web)
    assert isinstance(looked.known.result, ImageFacts)
    assert (looked.received, looked.saved, looked.known.size) == (len(IMAGE), 1_000_000 - len(IMAGE), 1_000_000)
    assert [request.range for request in web.asked] == [(0, 65535)]


@pytest.mark.parametrize("found", [answer(IMAGE), part(len(IMAGE)), answer(Body(0, "", b""))])
async def test_a_whole_answer_is_looked_at_as_it_came(found: Download) -> None:
    web = Web(found)
    looked = await look(web)
    assert (len(web.asked), looked.saved) == (1, 0)
    assert isinstance(looked.known.result, ImageFacts) == (found.body is not None and found.body.size > 0)


async def test_a_header_that_does_not_end_in_the_first_bytes_is_asked_for_whole() -> None:
    class Two(Web):
        async def fetch(self, request):  # type: ignore[no-untyped-def]
            self.found = part(1_000_000) if request.range else answer(IMAGE)
            download = await super().fetch(request)
            return (
                download if request.range is None else Download(URL, URL, 206, download.headers, body(IMAGE[:12]), NOW)
            )

    web = Two(answer(IMAGE))
    looked = await look(web)
    assert isinstance(looked.known.result, ImageFacts)
    assert ([request.range for request in web.asked], looked.received) == ([(0, 65535), None], 12 + len(IMAGE))


@pytest.mark.parametrize("error", [ConnectFailed("no route"), HTTPStatus("gone", status=404)])
async def test_what_can_not_be_fetched_is_known_by_its_error(error: Exception) -> None:
    assert (await look(Web(error))).known.result is error


@pytest.mark.parametrize("total", [len(IMAGE), 1_000_000])
async def test_a_body_on_disk_is_gone_when_it_was_looked_at(total: int, tmp_path: Path) -> None:
    spooled = tmp_path / "body"
    found = part(total)
    web = Web(Download(URL, URL, 206, found.headers, body(IMAGE, spooled), NOW))
    assert isinstance((await look(web)).known.result, ImageFacts)
    assert not spooled.exists()


def stretch(data: bytes, content_range: str, *, status: int = 206) -> Download:
    headers = (("content-type", "image/png"), ("content-range", content_range))
    return Download(URL, URL, status, headers, body(data), NOW)


LONG = IMAGE + bytes(65536 - len(IMAGE))


@pytest.mark.parametrize(
    ("found", "size"),
    [
        (stretch(LONG, "bytes 0-65535/*"), None),
        (stretch(LONG, "bytes 0-65535/1000000", status=200), 1_000_000),
    ],
    ids=["made while it is sent", "with the status 200"],
)
async def test_a_part_is_a_part_by_its_content_range(found: Download, size: int | None) -> None:
    web = Web(found)
    looked = await look(web)
    assert isinstance(looked.known.result, ImageFacts), "no cut file"
    assert (looked.known.size, len(web.asked)) == (size, 1)


async def test_a_part_without_a_total_that_is_shorter_than_asked_for_is_the_whole() -> None:
    looked = await look(Web(stretch(IMAGE, f"bytes 0-{len(IMAGE) - 1}/*")))
    assert (isinstance(looked.known.result, ImageFacts), looked.known.size) == (True, len(IMAGE))


@pytest.mark.parametrize(
    "refusal", [HTTPStatus("x", status=416), HTTPStatus("x", status=501), BadContentEncoding("a part of a coded file")]
)
async def test_who_sends_no_part_is_asked_for_the_whole(refusal: Exception) -> None:
    class Whole(Web):
        async def fetch(self, request):  # type: ignore[no-untyped-def]
            self.found = refusal if request.range else answer(IMAGE)
            return await super().fetch(request)

    web = Whole(answer(IMAGE))
    looked = await look(web)
    assert isinstance(looked.known.result, ImageFacts)
    assert [request.range for request in web.asked] == [(0, 65535), None]


async def test_another_refusal_of_a_part_is_told_and_not_asked_again() -> None:
    web = Web(HTTPStatus("x", status=404))
    looked = await look(web)
    assert (isinstance(looked.known.result, HTTPStatus), len(web.asked)) == (True, 1)
