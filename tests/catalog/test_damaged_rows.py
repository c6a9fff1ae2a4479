"""Rows that this program never writes: whoever meets one says that the catalog is damaged, which, and how to make it anew."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from fixtures.crawls.warcs import http, record
from fixtures.images import make_image
from mediamirror import mirror, scrub
from mediamirror.catalog.listing import Query
from mediamirror.errors import CatalogDamaged, MediamirrorError, UsageError
from mediamirror.jobs.catalog.adopt import rebuild
from mediamirror.jobs.catalog.catalogs import list_rows, locate, tell
from mediamirror.jobs.catalog.gc import collect_garbage
from mediamirror.jobs.catalog.warc_export import export_warc
from mediamirror.jobs.report import report
from mediamirror.jobs.run.archive import Target
from mediamirror.settings import (
    AdoptOptions,
    CheckOptions,
    MirrorOptions,
    ReadOptions,
    ReportOptions,
    ScrubOptions,
    StoreOptions,
)

URL = "http://a.example/0.png"
NO_UTF8 = "CAST(x'ff80' AS TEXT)"
SPOILT = [
    ("fetches", "fetched_at", "'yesterday'"),
    ("fetches", "fetched_at", "'2026-11-24T12:00:00'"),
    ("fetches", "headers", """'[["content-type'"""),
    ("fetches", "headers", "'[1]'"),
    ("fetches", "headers", NO_UTF8),
    ("fetches", "redirects", "'[['"),
    ("fetches", "redirects", "'[[1, 2, 3]]'"),
    ("blobs", "height", "NULL"),
    ("blobs", "format", NO_UTF8),
    ("variants", "url", f"url || {NO_UTF8}"),
    ("documents", "name", NO_UTF8),
    ("objects", "content_type", NO_UTF8),
    ("objects", "token", NO_UTF8),
    ("image_sets", "alt", NO_UTF8),
    ("standings", "error_message", NO_UTF8),
    ("places", "document_id", "99"),
]
OPTIONS = MirrorOptions(read=ReadOptions(offline=True), check=CheckOptions(check="header"))


class Place:
    def __init__(self, folder: Path) -> None:
        self.archive, self.dest, self.catalog = folder / "a.warc", str(folder / "m"), folder / "c.sqlite"
        self.where = locate(self.dest, self.catalog, None)

    async def mirror(self) -> object:
        return await mirror([str(self.archive)], to=self.dest, options=OPTIONS, catalog=self.catalog)

    async def scrub(self) -> object:
        return await scrub(self.dest, options=ScrubOptions(), catalog=self.catalog)

    async def gc(self) -> object:
        return await collect_garbage(self.dest, catalog=self.catalog)

    async def ls(self) -> object:
        return [row async for row in list_rows(self.where, Query())]

    async def ls_chosen(self) -> object:
        return [row async for row in list_rows(self.where, Query(host="*A*", image_set="*x*"))]

    async def show(self) -> object:
        return await tell(self.where, URL)

    async def export(self) -> object:
        file = io.BytesIO()
        return await export_warc(
            self.dest, self.where, Query(), Target("warc", lambda _: nullcontext(file), "x"), options=StoreOptions()
        )

    async def report(self) -> object:
        return await report(self.dest, options=ReportOptions(thumbnails=False), catalog=self.catalog)

    def commands(self) -> list[Callable[[], Awaitable[object]]]:
        return [self.ls, self.ls_chosen, self.show, self.export, self.report, self.gc, self.scrub, self.mirror]


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place = Place(tmp_path)
    page = http(b'<img alt="a" src="/0.png"><img alt="b" src="/1.png">', "text/html")
    images = [
        record("response", f"http://a.example/{n}.png", http(make_image(8 + n, 8, "png"), "image/png"))
        for n in range(2)
    ]
    place.archive.write_bytes(b"".join([record("response", "http://a.example/", page), *images]))
    await place.mirror()
    return place


@pytest.mark.parametrize(("table", "column", "value"), SPOILT)
async def test_a_row_without_sense_is_told_as_damage_of_that_catalog_and_by_nobody_as_a_defect_of_the_program(
    place: Place, table: str, column: str, value: str
) -> None:
    with closing(sqlite3.connect(place.catalog)) as db:
        db.execute(f"UPDATE {table} SET {column} = {value}")
        db.commit()
    told: list[MediamirrorError] = []
    for command in place.commands():
        try:
            await command()
        except UsageError:
            assert column == "url", "only a URL that is another now may not be found"
        except MediamirrorError as error:
            told.append(error)
    assert {type(error) for error in told} == {CatalogDamaged}
    for error in told:
        assert f"The catalog {place.catalog} is damaged" in error.message
        assert f"`mediamirror catalog rebuild DEST --catalog {place.catalog} --force`" in error.message


async def test_what_is_damaged_can_be_made_anew_as_the_sentence_says(place: Place) -> None:
    with closing(sqlite3.connect(place.catalog)) as db:
        db.execute("UPDATE fetches SET headers = '[['")
        db.commit()
    with pytest.raises(CatalogDamaged):
        await place.mirror()
    await rebuild(place.dest, options=AdoptOptions(force=True), catalog=place.catalog)
    summary: Any = await place.mirror()
    assert summary.exit_code == 0
