"""A page whose images are relative to an address that nobody gave: one line that says what to give, and no success."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from fixtures.images import make_image
from mediamirror import CheckOptions, FetchOptions, MirrorOptions, Problem, Summary, VerifyOptions, mirror, verify
from mediamirror.model import Event, Finding, Outcome
from mediamirror.report.events import to_objects

HEADER = CheckOptions(check="header")
PAGE = '<img alt="" src="/i/a.png" srcset="/i/a.png 64w, /i/b.png 90w"><img alt="" src="c.png">'


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dist/sub").mkdir(parents=True)
    (tmp_path / "dist/i").mkdir()
    for name, width in (("i/a.png", 64), ("i/b.png", 96), ("sub/c.png", 32)):
        (tmp_path / "dist" / name).write_bytes(make_image(width, 48, "png"))
    (tmp_path / "dist/sub/page.html").write_text(
        f'<link rel="canonical" href="https://news.example/sub/page.html">{PAGE}'
    )
    return tmp_path / "dist"


async def checked(word: str, *, root: Path | None = None) -> tuple[Summary, list[Event]]:
    told: list[Event] = []
    options = VerifyOptions(check=HEADER, fetch=FetchOptions(retries=0), root=root)
    return await verify([word], options=options, on_event=told.append), told


async def test_one_line_a_page_offers_the_folder_and_the_address_that_fit_and_it_fails(site: Path) -> None:
    summary, told = await checked("dist/sub/page.html")
    (problem,) = [each for each in told if isinstance(each, Problem)]
    assert (summary.exit_code, summary.problems, problem.code) == (1, 1, "relative-url-without-base")
    assert f"--root {site}" in problem.message
    assert "--base-url https://news.example/sub/page.html" in problem.message
    assert "4 image URLs" in problem.message


async def test_a_page_outside_the_given_folder_is_told_the_folder_that_fits(site: Path) -> None:
    (site.parent / "other").mkdir()
    summary, told = await checked("dist/sub/page.html", root=site.parent / "other")
    (problem,) = [each for each in told if isinstance(each, Problem)]
    assert (summary.exit_code, problem.code) == (1, "relative-url-without-base")
    assert f"--root {site}" in problem.message


async def test_a_mirror_of_such_a_page_says_the_same_but_for_the_root_that_it_can_not_use(site: Path) -> None:
    told: list[Event] = []
    web = httpx2.MockTransport(lambda _: httpx2.Response(404))
    options = MirrorOptions(check=HEADER)
    summary = await mirror(
        [str(site / "sub")], to=str(site.parent / "m"), options=options, transport=web, on_event=told.append
    )
    (problem,) = [each for each in told if isinstance(each, Problem)]
    assert (summary.exit_code, "--root" in problem.message, "--base-url https://" in problem.message) == (
        1,
        False,
        True,
    )


async def test_a_page_that_can_be_used_in_part_is_judged_and_still_says_what_it_lacks(site: Path) -> None:
    (site / "sub/page.html").write_text(f'{PAGE}<img alt="" src="https://never.invalid/x.png">')
    summary, told = await checked("dist/sub/page.html")
    assert [each.code for each in told if isinstance(each, Problem)] == ["relative-url-without-base"]
    assert summary.variants == 1


async def test_a_part_that_a_mail_lacks_is_not_looked_for_on_the_network(site: Path) -> None:
    mail = "Subject: x\nMIME-Version: 1.0\nContent-Type: text/html\n\n<img alt='' src='cid:gone@a.example'>\n"
    (site / "a.eml").write_text(mail)
    _, told = await checked("dist/a.eml")
    (outcome,) = [each for each in told if isinstance(each, Outcome)]
    assert outcome.error is not None
    assert (outcome.error.code, outcome.variant.url) == (
        "not-archived",
        "https://cid.invalid/dist/a.eml/gone@a.example",
    )


async def test_a_folder_with_an_index_is_its_own_root_and_its_files_go_by_their_paths(site: Path) -> None:
    (site / "index.html").write_text(PAGE.replace("c.png", "sub/c.png"))
    (site / "sub/page.html").unlink()
    summary, told = await checked("dist")
    assert (summary.exit_code, summary.statuses) == (1, {"checked": 3})
    (lie,) = [each for each in told if isinstance(each, Finding) and each.rule == "MM301"]
    assert lie.url == "dist/i/b.png"
    assert sorted(each.variant.url for each in told if isinstance(each, Outcome)) == [
        "dist/i/a.png",
        "dist/i/b.png",
        "dist/sub/c.png",
    ]


async def test_no_format_names_the_address_that_stands_for_a_folder(site: Path) -> None:
    (site / "sub/page.html").write_text(PAGE + '<img alt="" src="/i/gone.png"><img alt="" src="/i/a%20b.png">')
    summary, told = await checked("dist/sub", root=site)
    objects = [str(row) for event in told for row in to_objects(event)]
    assert (summary.exit_code, [row for row in objects if "site.invalid" in row]) == (1, [])
    assert any("dist/i/gone.png" in row for row in objects)
    assert any("dist/i/a b.png" in row for row in objects)


async def test_an_image_of_the_web_is_still_fetched_where_a_folder_is_its_own_root(site: Path) -> None:
    (site / "index.html").write_text('<img alt="" src="i/a.png"><img alt="" src="https://media.example/w.png">')
    (site / "sub/page.html").unlink()
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return httpx2.Response(200, headers={"content-type": "image/png"}, content=make_image(9, 9, "png"))

    options = VerifyOptions(check=HEADER, fetch=FetchOptions(retries=0))
    summary = await verify(["dist"], options=options, transport=httpx2.MockTransport(answer))
    assert (summary.statuses, "/w.png" in asked) == ({"checked": 2}, True)
