"""The archive that a run writes, where it can't be written or what it should hold can't be read."""

from __future__ import annotations

import errno
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from warcio.archiveiterator import ArchiveIterator

from fixtures.crawls.warcs import compressed, response
from fixtures.images import make_image
from mediamirror import mirror
from mediamirror.errors import ArchiveError
from mediamirror.jobs.run.archive import Target
from mediamirror.model import Event, Problem
from mediamirror.settings import CheckOptions, MirrorOptions, ReadOptions, SelectOptions
from mediamirror.store.memory import MemoryStore

SITE = "https://site.example"
PICTURE = make_image(40, 20, "jpeg")
OFFLINE = MirrorOptions(read=ReadOptions(offline=True), check=CheckOptions(check="header"))


class Full(io.BytesIO):
    """A file on a disk that has room for ``room`` bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._left = room

    def write(self, data: object) -> int:
        self._left -= len(bytes(data))  # type: ignore[call-overload]
        if self._left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]


class Decaying(MemoryStore):
    """A store that gives other bytes than it was given, and does not notice."""

    async def get(self, key: str) -> AsyncIterator[bytes]:
        async for chunk in super().get(key):
            yield bytes(len(chunk))


def crawl(path: Path) -> Path:
    page = response(f"{SITE}/", b'<!doctype html><img src="/a.jpg">', "text/html")
    path.write_bytes(compressed([page, response(f"{SITE}/a.jpg", PICTURE, "image/jpeg")]))
    return path


@pytest.mark.parametrize("kind", ["wacz", "warc.gz", "warc"])
async def test_a_disk_that_is_full_ends_the_run_with_one_error(tmp_path: Path, kind: str) -> None:
    @contextmanager
    def opened(number: int) -> Iterator[IO[bytes]]:
        yield Full(600)

    target = Target(kind, opened, "test")  # type: ignore[arg-type]
    with pytest.raises(ArchiveError, match="no space left on device"):
        await mirror([str(crawl(tmp_path / "c.warc.gz"))], to=str(tmp_path / "m"), options=OFFLINE, archive=target)


async def test_an_object_that_is_damaged_is_told_and_left_out(tmp_path: Path) -> None:
    held = io.BytesIO()

    @contextmanager
    def opened(number: int) -> Iterator[IO[bytes]]:
        yield held

    store, catalog, events = Decaying(), tmp_path / "c.sqlite", list[Event]()
    await mirror([str(crawl(tmp_path / "c.warc.gz"))], to=store, options=OFFLINE, catalog=catalog)
    page = tmp_path / "page.html"
    page.write_text(f'<base href="{SITE}/"><img src="/a.jpg">')
    options = MirrorOptions(select=SelectOptions(fresh_for=3650 * 86400.0), check=CheckOptions(check="header"))
    target = Target("warc", opened, "test")
    done = await mirror([str(page)], to=store, options=options, catalog=catalog, archive=target, on_event=events.append)
    told = [event for event in events if isinstance(event, Problem)]
    (problem,) = [each for each in told if each.code != "page-not-archived"]
    assert (done.exit_code, "does not hold the bytes" in problem.message) == (1, True)
    assert [record.rec_type for record in ArchiveIterator(io.BytesIO(held.getvalue()))] == ["warcinfo"]
