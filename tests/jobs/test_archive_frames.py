"""What a page shows in frames is in the archive of a run too, and what is not there is told."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx2
import pytest
from warcio.archiveiterator import ArchiveIterator

from fixtures.images import make_image
from mediamirror import mirror
from mediamirror.jobs.run.archive import Target
from mediamirror.model import Event, Problem, Severity, Summary
from mediamirror.settings import MirrorOptions, ReadOptions, SelectOptions

SITE = "https://site.example/"
PICTURE = make_image(40, 20, "jpeg")
HTML = {
    "": '<iframe src="/one"></iframe><iframe srcdoc="<img src=/srcdoc.jpg>" src="/unseen"></iframe><iframe src="/one#again"></iframe>'
    '<iframe src="https://ads.example/"></iframe><iframe src="about:blank"></iframe><iframe src="/gone"></iframe><img src="/a.jpg">',
    "one": '<link rel="stylesheet" href="/one.css"><img src="/b.jpg"><iframe src="/two"></iframe>',
    "two": '<frameset><frame src="/three"><frame src="/one"></frameset>',
    "three": "too deep",
    "local.html": "",
}


def answer(request: httpx2.Request) -> httpx2.Response:
    name = str(request.url).removeprefix(SITE)
    if name in HTML:
        return httpx2.Response(200, text=f"<!doctype html>{HTML[name]}", headers={"content-type": "text/html"})
    if name.endswith(".css"):
        return httpx2.Response(200, text="p{background:url(/c.jpg)}", headers={"content-type": "text/css"})
    if name.endswith(".jpg"):
        return httpx2.Response(200, content=PICTURE + name.encode(), headers={"content-type": "image/jpeg"})
    return httpx2.Response(404)


async def archived(to: Path, words: list[str], **options: Any) -> tuple[Summary, dict[str, str], list[Problem]]:
    """How a run ended, the status of each URL in its archive, and the problems."""
    held, events = io.BytesIO(), list[Event]()

    @contextmanager
    def opened(_: int) -> Iterator[IO[bytes]]:
        yield held

    done = await mirror(
        words,
        to=str(to),
        options=MirrorOptions(**options),
        transport=httpx2.MockTransport(answer),
        archive=Target("warc", opened, "test"),
        on_event=events.append,
    )
    found = {
        record.rec_headers.get_header("WARC-Target-URI").removeprefix(SITE): record.http_headers.get_statuscode()
        for record in ArchiveIterator(io.BytesIO(held.getvalue()), check_digests="raise")
        if record.rec_type == "response"
    }
    return done, found, [event for event in events if isinstance(event, Problem)]


async def test_frames_of_its_own_host_are_there_two_deep_with_all_that_they_load(tmp_path: Path) -> None:
    done, found, problems = await archived(tmp_path / "m", [SITE])
    pages, pictures = dict.fromkeys(("", "one", "two"), "200"), ("a.jpg", "b.jpg", "c.jpg", "srcdoc.jpg")
    assert found == {**pages, "one.css": "200", "gone": "404", **dict.fromkeys(pictures, "200")}
    told = {problem.document: problem.message for problem in problems if problem.code == "frame-not-archived"}
    assert set(told) == {f"{SITE}gone", "https://ads.example/"}
    assert "It is a frame." in told[f"{SITE}gone"]
    assert told["https://ads.example/"].startswith("https://ads.example/ and 1 more: not in the archive")
    assert (done.exit_code, {problem.severity for problem in problems}) == (0, {Severity.NOTE})


@pytest.mark.parametrize(("select", "told"), [(SelectOptions(rungs="largest"), 1), (SelectOptions(), 0)])
async def test_that_unwanted_images_are_not_in_the_archive_is_told(
    tmp_path: Path, select: SelectOptions, told: int
) -> None:
    page = tmp_path / "page.html"
    page.write_text(f'<base href="{SITE}"><img srcset="/a.jpg 1x, /b.jpg 2x">')
    _, found, problems = await archived(tmp_path / "m", [str(page)], select=select, read=ReadOptions())
    assert set(found) == ({"b.jpg"} if told else {"a.jpg", "b.jpg"})
    messages = [problem.message for problem in problems if problem.code == "archive-incomplete"]
    assert [message[:30] for message in messages] == ["1 of 2 images are not wanted b"] * told
