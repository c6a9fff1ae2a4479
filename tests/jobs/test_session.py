"""How every job ends when it is cancelled in the middle: with one summary, the last thing told, and exit code 130."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import make_image
from mediamirror import check, mirror, parse, scrub, sync, verify
from mediamirror.catalog.listing import Query
from mediamirror.errors import LockHeld
from mediamirror.jobs.catalog.adopt import import_, rebuild
from mediamirror.jobs.catalog.catalogs import locate
from mediamirror.jobs.catalog.gc import collect_garbage
from mediamirror.jobs.catalog.samples import export_samples
from mediamirror.jobs.catalog.warc_export import export_warc
from mediamirror.jobs.report import report
from mediamirror.jobs.rewrite.job import rewrite
from mediamirror.jobs.run.archive import Target
from mediamirror.jobs.run.session import Access, Needs, open_run
from mediamirror.model import MendSummary
from mediamirror.settings import AdoptOptions, MirrorOptions, ReadOptions, RewriteOptions, StoreOptions
from tests.jobs.test_samples_export import crawl

Tell = Callable[[Any], None]
COUNT = 5
LIST = b"".join(b'{"url": "http://never.example/%d.webp", "key": "%d.webp"}\n' % (n, n) for n in range(COUNT))


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pages, pictures, and a mirror of these that its catalog knows."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for folder in ("tree", "m"):
        (tmp_path / folder).mkdir()
        for n in range(COUNT):
            (tmp_path / folder / f"{n}.webp").write_bytes(make_image(48, 32, "webp", seed=n))
            (tmp_path / f"{n}.html").write_text(f'<img src="http://never.example/{n}.webp" alt="">')
    await import_(str(tmp_path / "m"), list_=io.BytesIO(LIST))
    return tmp_path


def pages(place: Path) -> list[str]:
    return sorted(map(str, place.glob("*.html")))


async def export(place: Path, tell: Tell) -> object:
    (place / "m" / "0.webp").unlink()  # a problem is the first thing that is told
    where = locate(str(place / "m"), None, None)
    query, options = Query(store=where.identity), StoreOptions()
    target = Target("warc", lambda _: nullcontext(io.BytesIO()), "x")
    return await export_warc(str(place / "m"), where, query, target, options=options, on_event=tell)


async def samples(place: Path, tell: Tell) -> object:
    to, read = place / "sampled", MirrorOptions(read=ReadOptions(offline=True))
    await mirror([str(crawl(place / "a.warc.gz"))], to=str(to), options=read)
    (to / "site.example" / "boat-160.webp").unlink()  # a problem is the first thing that is told
    where = locate(str(to), None, None)
    query, options = Query(store=where.identity), StoreOptions()
    shard = lambda _: nullcontext(io.BytesIO())  # noqa: E731
    return await export_samples(
        str(to), where, query, shard, rungs="ends", shard_size=None, options=options, on_event=tell
    )


async def rewritten(place: Path, tell: Tell, *, undo: bool) -> object:
    there = RewriteOptions(mirror=str(place / "m"), public_url="https://media.example.org/", in_place=True)
    if undo:
        await rewrite(pages(place), options=there)
        there = RewriteOptions(undo=True)
    return await rewrite(pages(place), options=there, on_event=tell)


JOBS: dict[str, Callable[[Path, Tell], Awaitable[object]]] = {
    "mirror": lambda place, tell: mirror(pages(place), to=str(place / "new"), on_event=tell),
    "verify": lambda place, tell: verify(pages(place), on_event=tell),
    "parse": lambda place, tell: parse(pages(place), on_event=tell),
    "scrub": lambda place, tell: scrub(str(place / "m"), on_event=tell),
    "sync": lambda place, tell: sync(str(place / "tree"), str(place / "new"), on_event=tell),
    "check": lambda place, tell: check(str(place / "tree"), str(place / "m"), on_event=tell),
    "gc": lambda place, tell: collect_garbage(str(place / "m"), on_event=tell),
    "rebuild": lambda place, tell: rebuild(str(place / "m"), options=AdoptOptions(force=True), on_event=tell),
    "import": lambda place, tell: import_(str(place / "tree"), on_event=tell),
    "report": lambda place, tell: report(str(place / "m"), on_event=tell),
    "export": export,
    "export of samples": samples,
    "rewrite": lambda place, tell: rewritten(place, tell, undo=False),
    "rewrite --undo": lambda place, tell: rewritten(place, tell, undo=True),
}


@pytest.mark.parametrize("name", JOBS)
async def test_a_job_that_is_cancelled_ends_with_its_summary(place: Path, name: str) -> None:
    (place / "m" / "unnamed").write_bytes(b"gc has something to say of it")
    told: list[Any] = []

    def tell(event: object) -> None:
        told.append(event)
        if len(told) == 1:
            job.cancel()

    job = asyncio.ensure_future(JOBS[name](place, tell))
    with pytest.raises(asyncio.CancelledError):
        await job
    ends = [event.exit_code for event in told if hasattr(event, "exit_code")]
    assert (ends, getattr(told[-1], "exit_code", None), len(told) > 1) == ([130], 130, True)


@pytest.mark.parametrize(("name", "file"), [("mirror", "new"), ("sync", "new"), ("import", "tree")])
async def test_the_catalog_says_of_a_cancelled_run_that_it_was_interrupted(place: Path, name: str, file: str) -> None:
    job = asyncio.ensure_future(JOBS[name](place, lambda _: job.cancel()))
    with pytest.raises(asyncio.CancelledError):
        await job
    with closing(sqlite3.connect(locate(str(place / file), None, None).path)) as db:
        (code,) = db.execute("SELECT exit_code FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    assert code == 130


class End(Exception):
    """What ends a run in a test."""


async def failing(needs: Needs, told: list[Any]) -> None:
    """Open a run and fail in it."""
    async with open_run(needs, conclude=lambda _: pytest.fail("no summary"), emit=told.append) as session:
        told.append((session.path, session.scratch))
        raise End


async def test_a_run_that_is_cancelled_when_its_work_is_done_tells_an_interrupted_summary(place: Path) -> None:
    needs = Needs(command="x", access=Access.STORE, to=str(place / "m"))
    concluded: list[bool] = []

    def conclude(interrupted: bool) -> MendSummary:
        concluded.append(interrupted)
        return MendSummary("x", "")

    async def run() -> None:
        async with open_run(needs, conclude=conclude, emit=lambda _: None):
            job.cancel()

    job = asyncio.ensure_future(run())
    with pytest.raises(asyncio.CancelledError):
        await job
    assert concluded == [True]


async def test_a_run_that_is_cancelled_while_its_end_is_recorded_is_an_interrupted_one_everywhere(place: Path) -> None:
    needs = Needs(command="x", access=Access.STORE, to=str(place / "m"), begins=True)
    told: list[MendSummary] = []
    paths: list[Path] = []

    def conclude(interrupted: bool) -> MendSummary:
        if not interrupted:
            job.cancel()
        return MendSummary("x", "", exit_code=130 if interrupted else 0)

    async def run() -> None:
        async with open_run(needs, conclude=conclude, emit=told.append) as session:
            paths.append(session.path)

    job = asyncio.ensure_future(run())
    with pytest.raises(asyncio.CancelledError):
        await job
    with closing(sqlite3.connect(paths[0])) as db:
        rows = db.execute("SELECT exit_code FROM runs WHERE command = 'x'").fetchall()
    assert ([summary.exit_code for summary in told], rows) == ([130], [(130,)])


async def test_a_run_that_fails_is_recorded_closed_and_told_by_its_error_alone(place: Path) -> None:
    needs = Needs(command="x", access=Access.STORE, to=str(place / "m"), begins=True)
    told: list[Any] = []
    for _ in range(2):  # the second one is let in: nothing is held any more
        with pytest.raises(End):
            await failing(needs, told)
    assert len(told) == 2
    path, scratch = told[0]
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT exit_code FROM runs WHERE command = 'x'").fetchall()
    assert (rows, scratch.exists()) == ([(1,), (1,)], False)


async def test_one_who_writes_is_alone_and_one_who_reads_is_let_in_beside(place: Path) -> None:
    writes = Needs(command="x", access=Access.STORE, to=str(place / "m"))
    reads = Needs(command="y", to=str(place / "m"), existing=True)

    async def beside(needs: Needs) -> None:
        async with open_run(writes, conclude=lambda _: MendSummary("x", ""), emit=lambda _: None):
            await failing(needs, [])

    with pytest.raises(LockHeld):
        await beside(writes)
    with pytest.raises(End):
        await beside(reads)


@pytest.mark.parametrize("known", [True, False])
async def test_one_who_reads_keeps_no_writer_waiting(place: Path, known: bool) -> None:
    dest = place / ("m" if known else "tree")
    where = locate(str(place / "m"), None, None).path
    needs = Needs(command="x", to=str(dest), catalog=where, adopts=True)
    async with open_run(needs, conclude=lambda _: MendSummary("x", ""), emit=lambda _: None):
        with closing(sqlite3.connect(where, timeout=0.1)) as writer, writer:
            writer.execute("INSERT INTO runs (command, started_at) VALUES ('beside', '')")
