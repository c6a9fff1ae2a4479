"""A catalog that can't be written or read any more, at whichever moment: one sentence, and the next run goes on."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.crawls.warcs import http, record
from fixtures.images import make_image
from mediamirror import mirror
from mediamirror.catalog import catalog
from mediamirror.errors import CatalogError
from mediamirror.settings import CheckOptions, MirrorOptions, ReadOptions

CODES = {
    "FULL": (sqlite3.SQLITE_FULL, "No space left for the catalog"),
    "IOERR": (sqlite3.SQLITE_IOERR | 12 << 8, "can't be read or written"),
    "READONLY": (sqlite3.SQLITE_READONLY, "can't be opened or written"),
    "CANTOPEN": (sqlite3.SQLITE_CANTOPEN, "can't be opened or written"),
    "CORRUPT": (sqlite3.SQLITE_CORRUPT, "is damaged"),
    "NOTADB": (sqlite3.SQLITE_NOTADB, "is damaged"),
    "BUSY": (sqlite3.SQLITE_BUSY, "is in use by another program"),
    "LOCKED": (sqlite3.SQLITE_LOCKED, "is in use by another program"),
    "ERROR": (sqlite3.SQLITE_ERROR, "can't be used"),
}
OPTIONS = MirrorOptions(read=ReadOptions(offline=True), check=CheckOptions(check="header"))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    page = b"".join(b'<img alt="" src="/%d.png">' % number for number in range(3))
    images = [
        record("response", f"http://a.example/{n}.png", http(make_image(8 + n, 8, "png"), "image/png"))
        for n in range(3)
    ]
    path = tmp_path / "crawl.warc"
    path.write_bytes(b"".join([record("response", "http://a.example/", http(page, "text/html")), *images]))
    return path


class Disk:
    """Counts what connections are asked to do, and fails each request from the ``first`` to the ``last``."""

    def __init__(self, code: int = 0, first: int = 0, last: int = 0) -> None:
        self.asked = 0
        self.failed = False
        self._code, self._failing = code, range(first, last + 1)

    def ask(self) -> None:
        self.asked += 1
        if self.asked in self._failing:
            self.failed = True
            error = sqlite3.OperationalError("the disk fails")
            error.sqlite_errorcode = self._code
            raise error

    def connections(self) -> type[sqlite3.Connection]:
        class Failing(sqlite3.Connection):
            def execute(_, *words: Any) -> Any:
                self.ask()
                return super().execute(*words)

            def executemany(_, *words: Any) -> Any:
                self.ask()
                return super().executemany(*words)

            def executescript(_, *words: Any) -> Any:
                self.ask()
                return super().executescript(*words)

            def close(_) -> None:
                super().close()
                self.ask()

        return Failing


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Disk], None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    connect = sqlite3.connect

    def use(disk: Disk) -> None:
        def failing(*words: Any, **more: Any) -> sqlite3.Connection:
            return connect(*words, factory=disk.connections(), **more)

        monkeypatch.setattr(catalog.sqlite3, "connect", failing)

    return use


async def run(archive: Path, folder: Path) -> dict[str, int]:
    summary = await mirror([str(archive)], to=str(folder / "m"), options=OPTIONS, catalog=folder / "c.sqlite")
    return dict(summary.statuses)


async def failure(work: Awaitable[object]) -> str | None:
    """What became of it: the sentence of a `CatalogError`, None when it went well; whatever else is raised is a fault."""
    try:
        await work
    except CatalogError as error:
        return error.message
    return None


@pytest.mark.parametrize("name", CODES)
async def test_a_failure_at_any_moment_is_one_sentence_that_names_the_file_and_the_next_run_goes_on(
    name: str, archive: Path, tmp_path: Path, on_disk: Callable[[Disk], None]
) -> None:
    unseen: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context["message"]))
    code, sentence = CODES[name]
    whole = Disk()
    on_disk(whole)
    assert await run(archive, tmp_path / "whole") == {"stored": 3}
    for moment in range(1, whole.asked + 1, 5 if name == "FULL" else 13):
        folder = tmp_path / str(moment)
        lasts = moment % 2 == 0  # as a full disk does, or it is over at once
        disk = Disk(code, moment, 10**9 if lasts else moment)
        on_disk(disk)
        told = await failure(run(archive, folder))
        assert (told is not None) == disk.failed, moment
        assert told is None or (sentence in told and str(folder / "c.sqlite") in told), (moment, told)
        on_disk(Disk())
        assert sum((await run(archive, folder)).values()) == 3, moment
    gc.collect()
    await asyncio.sleep(0)
    assert unseen == []
