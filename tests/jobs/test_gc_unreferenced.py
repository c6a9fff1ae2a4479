"""``catalog gc --unreferenced``: what no document names any more is listed, and with ``--delete`` goes, within bounds."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mediamirror import UsageError, mirror, scrub
from mediamirror.jobs.catalog.adopt import import_, rebuild
from mediamirror.jobs.catalog.catalogs import locate
from mediamirror.jobs.catalog.gc import collect_garbage
from mediamirror.jobs.run.destination import identity_of
from mediamirror.model import MendEvent, MendSummary, ObjectEvent
from mediamirror.settings import AdoptOptions, GcOptions
from tests.jobs.test_own_record import MIRROR, URLS, Origin, page

__all__ = ["page"]
ASKED = GcOptions(unreferenced=True)
WHY = "no document names it any more"


async def mirrored(origin: Origin, to: Path, *inputs: str, **more: object) -> None:
    await mirror(inputs, to=str(to), options=replace(MIRROR, **more), transport=origin.transport)  # type: ignore[arg-type]


def names(mirror: Path) -> list[str]:
    return sorted(path.name for path in mirror.rglob("*.png"))


def name_only(page: str, *urls: str) -> None:
    Path(page).write_text("<p>boats</p>" + "".join(f'<img alt="a" src="{url}" srcset="{url} 64w">' for url in urls))


async def gc(to: Path, options: GcOptions = ASKED) -> tuple[MendSummary, list[tuple[str, str, str]]]:
    told: list[MendEvent] = []
    summary = await collect_garbage(str(to), options=options, on_event=told.append)
    rows = [(e.op, e.key.rpartition("/")[2], e.reason) for e in told if isinstance(e, ObjectEvent)]
    return summary, [row for row in rows if row[0] in ("keep", "delete")]


@pytest.fixture
async def changed(page: str, tmp_path: Path) -> Path:
    """A mirror of a page that named three pictures and now names two."""
    origin, to = Origin(), tmp_path / "m"
    await mirrored(origin, to, page)
    name_only(page, *URLS[:2])
    await mirrored(origin, to, page)
    return to


async def test_it_is_listed_first_and_deleted_when_asked(changed: Path) -> None:
    summary, told = await gc(changed)
    assert (summary.counts["unreferenced, kept"], told) == (1, [("keep", "c_64.png", f"{WHY}; --delete removes it")])
    assert len(names(changed)) == 3
    summary, told = await gc(changed, replace(ASKED, delete=True, dry_run=True))
    assert (told, len(names(changed)), summary.bytes > 0) == ([("delete", "c_64.png", WHY)], 3, True)
    summary, told = await gc(changed, replace(ASKED, delete=True))
    assert (summary.exit_code, summary.counts["objects deleted"]) == (0, 1)
    assert told == [("delete", "c_64.png", WHY)]
    assert "c_64.png" not in names(changed)
    assert (await gc(changed, replace(ASKED, delete=True)))[1] == []
    assert (await scrub(str(changed))).exit_code == 0


async def test_without_the_option_nothing_that_has_a_row_is_listed(changed: Path) -> None:
    assert (await gc(changed, GcOptions(delete=True)))[1] == []
    assert len(names(changed)) == 3


async def test_what_one_other_document_names_stays(page: str, tmp_path: Path) -> None:
    origin, to, other = Origin(), tmp_path / "m", tmp_path / "other.html"
    shutil.copyfile(page, other)
    await mirrored(origin, to, page, str(other))
    name_only(page, URLS[0])
    await mirrored(origin, to, page)
    assert (await gc(to))[1] == []
    assert (await gc(to, replace(ASKED, unread_for=3600)))[1] == []
    # A page that was removed is read by no run any more; after that time it names nothing.
    with closing(sqlite3.connect(locate(str(to), None, None).path, isolation_level=None)) as db:
        db.execute("UPDATE documents SET read_at = '2020-01-01T00:00:00+00:00' WHERE name = ?", (str(other),))
    assert [name for _, name, _ in (await gc(to, replace(ASKED, unread_for=3600)))[1]] == ["c_64.png", "b_64.png"]


async def test_it_is_bounded_as_a_sync_is(page: str, tmp_path: Path) -> None:
    origin, to = Origin(), tmp_path / "m"
    await mirrored(origin, to, page)
    name_only(page, URLS[0])
    await mirrored(origin, to, page)
    with pytest.raises(UsageError, match="would remove 2 objects and --max-delete allows 1: nothing was changed"):
        await gc(to, replace(ASKED, delete=True, max_delete=1))
    name_only(page)
    await mirrored(origin, to, page)
    with pytest.raises(
        UsageError, match="would remove all 3 objects, since no document that the catalog knows names any"
    ):
        await gc(to, replace(ASKED, delete=True))
    assert len(names(to)) == 3
    assert (await gc(to, replace(ASKED, delete=True, force=True)))[0].counts["objects deleted"] == 3


async def test_what_a_document_names_is_not_forgotten_because_not_all_of_it_was_read(page: str, tmp_path: Path) -> None:
    origin, to = Origin(), tmp_path / "m"
    await mirrored(origin, to, page)
    await mirrored(origin, to, page, read=replace(MIRROR.read, max_sets=1))
    assert (await gc(to))[1] == []


async def test_what_was_imported_is_named_by_no_document_and_stays(page: str, tmp_path: Path) -> None:
    origin, to = Origin(), tmp_path / "m"
    await mirrored(origin, to, page)
    shutil.copyfile(next(to.rglob("b_64.png")), to / "photo.png")
    await import_(str(to), options=AdoptOptions(base_url="https://photos.example/"))
    assert (await gc(to))[1] == []
    await collect_garbage(str(to), options=GcOptions(keep_runs=1))
    assert (await gc(to))[1] == []


@pytest.mark.parametrize("how", ["moved", "rebuilt"])
async def test_a_moved_and_a_rebuilt_mirror_know_it_too(
    changed: Path, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    moved = tmp_path / "moved"
    shutil.move(changed, moved)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    if how == "rebuilt":
        await rebuild(str(moved))
    await mirrored(Origin(), moved, page)
    assert [name for _, name, _ in (await gc(moved, replace(ASKED, delete=True)))[1]] == ["c_64.png"]
    assert identity_of(str(moved), None).endswith("moved")
    assert len(names(moved)) == 2


async def test_gc_of_a_moved_mirror_takes_in_the_record_that_it_carries(
    changed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "moved"
    shutil.move(changed, moved)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    (moved / "stray.png").write_bytes(b"text")
    told = (await gc(moved, GcOptions(delete=True, older_than=0, dry_run=True)))[1]
    assert told == [("delete", "stray.png", "no row names it")]
    assert (await gc(moved, GcOptions(delete=True, older_than=0)))[0].counts["objects deleted"] == 1
    assert (await scrub(str(moved))).exit_code == 0
