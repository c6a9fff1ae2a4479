"""Questions to a mirror in a directory that has no catalog here: the record that it carries answers them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mediamirror import mirror
from mediamirror.catalog.listing import Query
from mediamirror.errors import MediamirrorError
from mediamirror.jobs.catalog.catalogs import list_rows, locate, tell
from mediamirror.jobs.report import report
from mediamirror.jobs.rewrite.job import rewrite
from mediamirror.jobs.rewrite.targets import addresses_in
from mediamirror.jobs.run.manifest import SEGMENTS
from mediamirror.model import SetResult
from mediamirror.settings import RewriteOptions, state_folder
from tests.jobs.test_own_record import MIRROR, URLS, Origin, elsewhere, page

__all__ = ["page"]


@pytest.fixture
async def moved(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    await mirror([page], to=str(tmp_path / "m"), options=MIRROR, transport=Origin().transport)
    shutil.move(tmp_path / "m", tmp_path / "moved")
    elsewhere(tmp_path, monkeypatch)
    return tmp_path / "moved"


async def test_ls_and_show_tell_what_the_catalog_of_the_first_place_told(moved: Path) -> None:
    where = locate(str(moved), None, None)
    rows = [row async for row in list_rows(where, Query(store=where.identity))]
    assert {(row.url, row.status, row.format, row.width) for row in rows} == {
        (url, "stored", "png", 64) for url in URLS
    }
    assert {row.alt for row in rows} == {"a boat"}
    story = await tell(where, URLS[1])
    assert [variant.url for variant in story.variants] == [URLS[1]]
    assert not list(state_folder().rglob("*.sqlite"))  # to ask leaves nothing behind


async def test_report_and_map_know_its_sets_and_addresses(moved: Path) -> None:
    told: list[object] = []
    summary = await report(str(moved), on_event=told.append)
    assert (summary.exit_code, summary.sets) == (0, 3)
    assert [len(each.rows) for each in told if isinstance(each, SetResult)] == [2, 2, 2]  # the src too
    found = {old: new async for old, new in addresses_in(str(moved), None, None, "https://cdn.example/")}
    assert set(found) == set(URLS)


async def test_without_that_record_it_is_said_what_to_do(moved: Path) -> None:
    shutil.rmtree(moved / SEGMENTS)
    where = locate(str(moved), None, None)
    with pytest.raises(MediamirrorError, match="catalog rebuild"):
        await tell(where, URLS[1])
    with pytest.raises(MediamirrorError, match="catalog rebuild"):
        await report(str(moved))


async def test_pages_are_rewritten_by_what_it_carries_and_brought_back(moved: Path, tmp_path: Path) -> None:
    page = tmp_path / "site.html"
    page.write_text(before := f'<img src="{URLS[1]}" alt="a boat">')
    there = RewriteOptions(mirror=str(moved), in_place=True)
    summary = await rewrite([str(page)], options=there)
    assert summary.exit_code == 0
    assert "moved/" in page.read_text()
    assert (await rewrite([str(page)], options=there)).counts.get("pages rewritten", 0) == 0
    assert (await rewrite([str(page)], options=RewriteOptions(undo=True))).exit_code == 0
    assert page.read_text() == before
    assert not list(state_folder().rglob("*.sqlite"))
    shutil.rmtree(moved / SEGMENTS)
    with pytest.raises(MediamirrorError, match="catalog rebuild"):
        await rewrite([str(page)], options=there)
