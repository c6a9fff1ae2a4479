"""``mirror --dry-run`` says which images will be refused for what their URLs say, as the real run does, and asks nobody for that."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.crawls.warcs import response
from fixtures.hostile import REFUSED_ADDRESSES
from fixtures.images import make_image
from mediamirror import CheckOptions, FetchOptions, JobOptions, MirrorOptions, SelectOptions, mirror
from mediamirror.fetch import request
from mediamirror.fetch.guard import parse_connect_to
from mediamirror.fetch.request import certain_refusal
from mediamirror.model import Event, ObjectEvent, Outcome

REAL = MirrorOptions(fetch=FetchOptions(retries=0, robots=False), check=CheckOptions(check="header"))
DRY = replace(REAL, job=JobOptions(dry_run=True))
INSIDE = "http://localhost:18801/a.png"
PUBLIC = ("https://images.example/a.png", "http://93.184.216.34/b.png", "https://localhost.example/c.png")
REFUSED = (
    INSIDE,
    "http://a.localhost/b.png",
    "http://10.0.0.1/c.png",
    "http://[::1]:81/d.png",
    "https://x.example:22/e.png",
)

Said = dict[str | None, tuple[str, str] | None]


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is looked up and nothing is dialled."""

    def looked_up(*_: object, **__: object) -> None:
        raise AssertionError("a name was looked up")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(socket, "getaddrinfo", looked_up)


async def run(tmp_path: Path, urls: tuple[str, ...], options: MirrorOptions, **more: Any) -> tuple[int, Said]:
    """Mirror a page with these images: the exit code, and of each image the error's code and message."""
    page = tmp_path / "page.html"
    page.write_text("".join(f'<img src="{url}">' for url in urls))
    told: list[Event] = []
    summary = await mirror([str(page)], to=str(tmp_path / "m"), options=options, on_event=told.append, **more)
    found: Said = {}
    for event in told:
        if isinstance(event, ObjectEvent | Outcome):
            url = event.variant.url if isinstance(event, Outcome) else event.url
            found[url] = (event.error.code, event.error.message) if event.error else None
    assert summary.statuses.get("failed", 0) == sum(1 for error in found.values() if error)
    return summary.exit_code, found


def fetching(**options: Any) -> MirrorOptions:
    return replace(DRY, fetch=replace(DRY.fetch, **options))


async def test_a_dry_run_refuses_what_the_real_run_refuses_and_in_the_same_words(tmp_path: Path) -> None:
    code, dry = await run(tmp_path, REFUSED, DRY)
    assert (code, {url: error and error[0] for url, error in dry.items()}) == (
        1,
        dict(zip(REFUSED, ["address-refused"] * 4 + ["port-refused"], strict=True)),
    )
    assert (code, dry) == await run(tmp_path, REFUSED, REAL)


async def test_every_spelling_of_an_address_inside_is_refused(tmp_path: Path) -> None:
    urls = tuple(f"http://{host}/{n}.png" for n, host in enumerate(REFUSED_ADDRESSES))
    code, dry = await run(tmp_path, urls, DRY)
    assert (code, {error and error[0] for error in dry.values()}) == (1, {"address-refused"})


async def test_names_and_public_addresses_would_be_fetched(tmp_path: Path) -> None:
    code, dry = await run(tmp_path, (*PUBLIC, INSIDE), DRY)
    assert (code, [url for url, error in dry.items() if error]) == (1, [INSIDE])
    assert await run(tmp_path, PUBLIC, DRY) == (0, dict.fromkeys(PUBLIC))


@given(
    url=st.builds(
        "{}{}{}".format,
        st.sampled_from(["http://", "https://", "HTTPS://", "ftp://", "http:/", ""]),
        st.sampled_from(
            [
                *(
                    "a.example",
                    "A.example",
                    "localhost",
                    "a.localhost.",
                    "10.0.0.1",
                    "93.184.216.34",
                    "1.2.3.256",
                    "[::1]",
                ),
                *(
                    "u:p@a.example",
                    "a.example:22",
                    "a.example:80",
                    "a.example:99999",
                    "a..b",
                    "-",
                    ".",
                    "xn--0",
                    "é.by",
                    "x:",
                ),
            ]
        ),
        st.text(st.characters(max_codepoint=0xDFFF), max_size=6).map("/{}".format) | st.just(""),
    )
)
def test_what_a_url_says_behind_its_host_refuses_nothing(url: str) -> None:
    refused = certain_refusal(FetchOptions())
    quickly = refused(url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "_ORIGIN", re.compile(r"(?!)"))
        slowly = refused(url)
    assert [type(quickly), str(quickly)] == [type(slowly), str(slowly)]


@pytest.mark.parametrize(
    "options",
    [
        {"allow_hosts": ("localhost:18801",)},
        {"allow_private": True},
        {"connect_to": (parse_connect_to("localhost:18801:10.0.0.7:80"),)},
    ],
    ids=["host", "private", "connect-to"],
)
async def test_what_the_user_opened_would_be_fetched(tmp_path: Path, options: dict[str, Any]) -> None:
    assert await run(tmp_path, (INSIDE,), fetching(**options)) == (0, {INSIDE: None})


async def test_another_port_alone_opens_no_address(tmp_path: Path) -> None:
    rule = parse_connect_to("localhost:18801::80")
    code, dry = await run(tmp_path, (INSIDE,), fetching(connect_to=(rule,)))
    assert (code, (dry[INSIDE] or ("",))[0]) == (1, "address-refused")


async def test_what_was_checked_just_now_is_not_asked_for_and_so_not_refused(tmp_path: Path) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "image/png"}, content=make_image(64, 48, "png"))

    opened = replace(REAL, fetch=replace(REAL.fetch, allow_private=True))
    assert (await run(tmp_path, (INSIDE,), opened, transport=httpx2.MockTransport(answer)))[0] == 0
    fresh = replace(DRY, select=SelectOptions(fresh_for=3600))
    assert await run(tmp_path, (INSIDE,), fresh) == (0, {INSIDE: None})
    assert (await run(tmp_path, (INSIDE,), DRY))[0] == 1


async def test_what_a_web_archive_holds_is_taken_from_there(tmp_path: Path) -> None:
    picture = response(INSIDE, make_image(64, 48, "png"), "image/png")
    (tmp_path / "crawl.warc").write_bytes(
        response("http://localhost:18801/", b'<img src="a.png"><img src="gone.png">', "text/html") + picture
    )
    told: list[Event] = []
    await mirror([str(tmp_path / "crawl.warc")], to=str(tmp_path / "m"), options=DRY, on_event=told.append)
    failed = {event.url: event.error is not None for event in told if isinstance(event, ObjectEvent)}
    assert failed == {INSIDE: False, "http://localhost:18801/gone.png": True}
