"""A mirror that `sync` moved is still a mirror: where its objects came from, and their image sets, travel with the bytes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mediamirror import CheckOptions, mirror, scrub, sync
from mediamirror.jobs.run.manifest import SEGMENTS, read_segments
from mediamirror.model import Outcome, Summary
from mediamirror.settings import ScrubOptions
from mediamirror.store.directory import DirectoryStore
from mediamirror.store.memory import MemoryStore
from tests.jobs.test_own_record import MIRROR, URLS, Origin, page

__all__ = ["page"]


async def mirrored(page: str, where: str | MemoryStore, origin: Origin, **more: object) -> Summary:
    options = replace(MIRROR, **more)  # type: ignore[arg-type]
    return await mirror([page], to=where, options=options, transport=origin.transport)


@pytest.mark.parametrize("record", ["catalog", "manifest"])
async def test_after_a_sync_the_same_documents_transfer_no_image(
    page: str, record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = Origin()
    await mirrored(page, str(tmp_path / "m"), origin)
    if record == "catalog":
        shutil.rmtree(tmp_path / "m" / SEGMENTS)
    else:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    await sync(str(tmp_path / "m"), str(tmp_path / "dest"))
    origin.given = 0
    summary = await mirrored(page, str(tmp_path / "dest"), origin)
    assert (origin.given, summary.bytes_out, summary.statuses) == (0, 0, {"unchanged": 3})


async def test_what_is_there_already_is_known_too_when_a_sync_only_compares_it(page: str, tmp_path: Path) -> None:
    origin = Origin()
    await mirrored(page, str(tmp_path / "m"), origin)
    shutil.copytree(tmp_path / "m", tmp_path / "dest", ignore=shutil.ignore_patterns("_mediamirror"))
    summary = await sync(str(tmp_path / "m"), str(tmp_path / "dest"), options=None)
    assert summary.statuses == {"skipped": 3}
    origin.given = 0
    await mirrored(page, str(tmp_path / "dest"), origin)
    assert origin.given == 0


async def test_the_record_of_the_new_place_has_urls_pixels_and_sets(page: str, tmp_path: Path) -> None:
    await mirrored(page, str(tmp_path / "m"), Origin())
    await sync(str(tmp_path / "m"), str(tmp_path / "dest"))
    async with DirectoryStore(tmp_path / "dest") as store:
        rows = [row async for row in read_segments(store)]
    objects = [row for row in rows if row["type"] == "object"]
    assert sorted(row["url"] for row in objects) == sorted(URLS)
    assert {(row["format"], row["width"], row["height"]) for row in objects} == {("png", 64, 48)}
    sets = [row for row in rows if row["type"] == "set"]
    assert [(row["status"], row["alt"]) for row in sets] == [("whole", "a boat")] * 3


async def test_what_was_lost_after_a_sync_comes_back_from_its_origin(page: str, tmp_path: Path) -> None:
    await mirrored(page, str(tmp_path / "m"), Origin())
    await sync(str(tmp_path / "m"), str(tmp_path / "dest"))
    (tmp_path / "dest/cdn.example/c_64.png").unlink()
    told: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, Outcome) and event.error is not None:
            told.append(event.key or "")

    options = ScrubOptions(check=CheckOptions(check="header"), repair=True, second=str(tmp_path / "m"))
    summary = await scrub(str(tmp_path / "dest"), options=options, on_event=note)
    assert (summary.exit_code, summary.statuses, told) == (0, {"checked": 2, "repaired": 1}, [])
    assert (await scrub(str(tmp_path / "dest"))).exit_code == 0
