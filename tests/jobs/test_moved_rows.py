"""The columns of a table's rows travel with the mirror: a place without a catalog tells the same of each image."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from mediamirror import sync
from mediamirror.catalog.listing import MOST_ROWS, Query
from mediamirror.jobs.catalog.adopt import rebuild
from mediamirror.jobs.catalog.catalogs import list_rows, locate
from mediamirror.jobs.catalog.gc import collect_garbage
from mediamirror.jobs.run.manifest import LONGEST_ROW, SEGMENTS, read_segments
from mediamirror.store.directory import DirectoryStore
from tests.jobs.test_own_record import elsewhere
from tests.jobs.test_samples_export import LADDER, PART, SITE, mirror_rows

Columns = dict[str, tuple[object, tuple[dict[str, object], ...]]]
TURNS = [(f"caption {at}", (LADDER, PART)[at % 2]) for at in range(12)]


async def columns_in(where: Path, catalog: Path | None = None) -> Columns:
    place = locate(str(where), catalog, None)
    return {
        str(row.url): (row.columns, row.other_columns)
        async for row in list_rows(place, Query(store=place.identity))
        if row.status == "stored"
    }


def texts(mirrored: Path) -> list[str]:
    return [gzip.decompress(each.read_bytes()).decode() for each in sorted((mirrored / SEGMENTS).iterdir())]


@pytest.mark.parametrize("way", ["copy", "rebuild", "compact", "sync", "sync without catalog"])
async def test_a_copied_mirror_tells_the_columns_of_every_row(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows with a srcset and with a part of it in turns, and a second table with the same images in a later run."""
    (tmp_path / "first").mkdir()
    await mirror_rows(tmp_path, *TURNS)
    await mirror_rows(tmp_path, ("of another table", LADDER), name="another")
    told = await columns_in(tmp_path / "mirror", tmp_path / "c.sqlite")
    captions = {url: [row["caption"] for row in (first, *others) if row] for url, (first, others) in told.items()}
    whole = [text for text, srcset in TURNS if srcset is LADDER]
    assert sorted(captions[f"{SITE}/boat-40.webp"]) == sorted([*whole, "of another table"])
    assert captions[f"{SITE}/boat-160.webp"] == [*(text for text, _ in TURNS), "of another table"]
    copy = tmp_path / "copy"
    if way == "sync":
        await sync(str(tmp_path / "mirror"), str(copy), catalog=tmp_path / "c.sqlite")
    elsewhere(tmp_path, monkeypatch)
    if way == "sync without catalog":
        await sync(str(tmp_path / "mirror"), str(copy))
    if not copy.exists():
        shutil.copytree(tmp_path / "mirror", copy)
    shutil.rmtree(tmp_path / "mirror")
    if way == "rebuild":
        await rebuild(str(copy))
    if way == "compact":
        await collect_garbage(str(copy))
        assert len(texts(copy)) == 1
        elsewhere(tmp_path / "first", monkeypatch)
    if way.startswith("sync"):
        elsewhere(tmp_path / "first", monkeypatch)
    assert await columns_in(copy) == told


async def test_a_mirror_whose_record_is_of_an_early_release_tells_no_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mirror_rows(tmp_path, *TURNS)
    (segment,) = (tmp_path / "mirror" / SEGMENTS).iterdir()
    rows = [json.loads(line) for line in gzip.decompress(segment.read_bytes()).splitlines()]
    early = [{name: value for name, value in row.items() if name not in {"row", "other_rows"}} for row in rows]
    segment.write_bytes(gzip.compress("".join(f"{json.dumps(row)}\n" for row in early).encode()))
    elsewhere(tmp_path, monkeypatch)
    told = await columns_in(tmp_path / "mirror")
    assert len(told) == 6
    assert set(map(str, told.values())) == {"(None, ())"}


async def test_rows_without_end_leave_a_record_that_can_be_read(tmp_path: Path) -> None:
    """An image that very many rows name, and rows so long that a hundred of them fill more than a row of the record may have."""
    await mirror_rows(tmp_path, *[("short", LADDER)] * (MOST_ROWS + 50), *[("日" * 1000, PART)] * 150)
    async with DirectoryStore(tmp_path / "mirror") as store:
        sets = [row async for row in read_segments(store) if row["type"] == "set" and "row" in row]
    counts = {row["row"]["caption"][0]: len(row["other_rows"]) for row in sets}
    assert counts["s"] == MOST_ROWS
    assert 50 < counts["日"] < MOST_ROWS
    assert max(len(json.dumps(row)) for row in sets) < LONGEST_ROW


async def test_no_secret_in_a_column_reaches_the_record(tmp_path: Path) -> None:
    """Not in one that is called ``key``, either, which of an object stays exact."""
    secret = "https://h.example/a.webp?token=c0ffee0123456789"
    await mirror_rows(tmp_path, (secret, LADDER), (f"see {secret}", LADDER), column="key")
    told = "".join(texts(tmp_path / "mirror"))
    assert ("c0ffee" in told, told.count("token=***")) == (False, 2)
