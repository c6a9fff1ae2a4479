"""What one worker has learnt of a host holds for the next one that asks it; what the origin wrote down is the witness."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import re
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from fixtures.images import make_image
from mediamirror.catalog.results import Record
from mediamirror.catalog.work import WorkItem
from mediamirror.documents.reader_process import receive, send
from mediamirror.errors import WorkerLost
from mediamirror.fetch.hosts import Hosts
from mediamirror.jobs.mirror.spread import Crew, Finished, Job, Told, Work
from mediamirror.jobs.mirror.worker import Worker, open_worker
from mediamirror.jobs.run.shards import Limits
from mediamirror.model import Outcome, Variant
from mediamirror.settings import CheckOptions, FetchOptions, MirrorOptions

IMAGES = 12


class Origin:
    """Serves images. After ``busy_after`` of them it answers 429 for ``quiet`` seconds, and says so; ``asked`` has its requests."""

    def __init__(self, busy_after: int = IMAGES, quiet: int = 3600) -> None:
        self.busy_after = busy_after
        self.quiet = quiet
        self.until = 0.0
        self.asked: list[tuple[str, float]] = []
        self.url = ""

    @property
    def images(self) -> list[float]:
        return [at for path, at in self.asked if path.endswith(".webp")]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Origin]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = make_image(48, 32, "webp")
        try:
            while found := re.match(rb"GET (\S+)", await reader.readuntil(b"\r\n\r\n")):
                path = found[1].decode()
                self.asked.append((path, time.monotonic()))
                if path == "/robots.txt":
                    rules = b"User-agent: *\nDisallow: /7.webp\n"
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(rules), rules))
                elif len(self.images) == self.busy_after + 1 or time.monotonic() < self.until:
                    self.until = time.monotonic() + self.quiet
                    writer.write(b"HTTP/1.1 429 Later\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n" % self.quiet)
                else:
                    await asyncio.sleep(0.15)  # so that few of them make a shard
                    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/webp\r\nContent-Length: %d\r\n\r\n" % len(body)
                    writer.write(head + body)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


class List:
    """A work list of one host."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def lanes(self) -> AsyncIterator[tuple[str, int, int]]:
        yield self._url.removeprefix("http://"), 1, IMAGES

    async def read(self, after: int, last: int, limit: int) -> Sequence[tuple[int, WorkItem]]:
        places = range(after + 1, min(after + limit, last) + 1)
        return [(n, WorkItem(n, Variant(f"{self._url}/{n}.webp"))) for n in places]


class InTurn:
    """An engine that gives each shard to another of its workers; with ``dies`` the first is lost when it has told of a busy host."""

    workers = 1

    def __init__(self, workers: Sequence[Worker], *, dies: bool = False) -> None:
        self.own = workers
        self.dies = dies
        self.shards = 0

    async def run(self, work: Work) -> Told:
        worker = self.own[self.shards % len(self.own)]
        self.shards += 1
        told: asyncio.Queue[object] = asyncio.Queue()
        running = asyncio.create_task(worker.run(travelled(work), told.put))
        running.add_done_callback(lambda done: told.put_nowait(None if done.cancelled() else done.result()))
        try:
            while not isinstance(said := travelled(await told.get()), Finished):
                yield said
                if self.dies and isinstance(said, dict):
                    self.dies = False
                    raise WorkerLost("killed")
            yield said
        finally:
            running.cancel()


def travelled(thing: Any) -> Any:
    """What comes out at the other end of a pipe."""
    return pickle.loads(pickle.dumps(thing))


async def shared(origin: Origin, to: Path, *, dies: bool = False, **fetch: float) -> dict[str, Outcome]:
    """Share the images of an origin between two workers, three to a shard."""
    await asyncio.to_thread(to.mkdir)
    options = MirrorOptions(
        fetch=FetchOptions(allow_private=True, host_concurrency=1, retries=0, **fetch),  # type: ignore[arg-type]
        check=CheckOptions(check="header"),
    )
    job = Job(str(to), options, frozenset(), True, False, 1, False, logging.ERROR)
    outcomes: dict[str, Outcome] = {}

    async def record(records: Sequence[Record]) -> None:
        outcomes.update({each.outcome.variant.url.rpartition("/")[2]: each.outcome for each in records})

    async with open_worker(job) as first, open_worker(job) as second:
        engine = InTurn((first, second), dies=dies)
        crew = Crew(engine, options, lambda problem: None, None)
        crew.limits = Limits(width=1, host_width=1, most=3)
        await crew.share(List(origin.url), record)
    assert len(outcomes) == IMAGES
    assert engine.shards >= 3
    return outcomes


async def test_a_host_that_wants_to_be_left_alone_is_by_the_next_worker_too(tmp_path: Path) -> None:
    async with Origin(busy_after=1).running() as origin:
        outcomes = await shared(origin, tmp_path / "m", retry_after_cap=1.0)
    assert len(origin.images) == 2
    codes = [outcome.error.code for outcome in outcomes.values() if outcome.error is not None]
    assert codes.count("host-backoff") >= IMAGES - 3
    assert [path for path, _ in origin.asked].count("/robots.txt") == 1


async def test_what_a_worker_was_told_holds_when_it_dies(tmp_path: Path) -> None:
    async with Origin(busy_after=1, quiet=2).running() as origin:
        await shared(origin, tmp_path / "m", dies=True)
    assert origin.images[2] - origin.images[1] > 1.9


async def test_requests_of_two_workers_lie_apart_by_the_delay_and_one_robots_txt_goes_for_both(tmp_path: Path) -> None:
    async with Origin().running() as origin:
        outcomes = await shared(origin, tmp_path / "m", delay=0.2)
    times = origin.images
    assert len(times) == IMAGES - 1
    assert min(after - before for before, after in pairwise(times)) > 0.1
    assert [path for path, _ in origin.asked].count("/robots.txt") == 1
    assert [name for name, outcome in outcomes.items() if outcome.error is not None] == ["7.webp"]


def test_times_of_a_host_travel_as_what_is_left_of_them() -> None:
    now = {"here": 1_000.0, "there": 5.0}
    here, there = (Hosts(FetchOptions(), clock=lambda at=at: now[at], random=Random(1)) for at in now)  # type: ignore[misc]
    host = here.get("h")
    host.quiet_until, host.strikes, host.probes, host.closed_until = 1_060.0, 3, 1, 1_004.0
    known = here.known("h")
    assert known is not None
    assert known.waits
    assert not known.after(61.0).waits
    there.learn("h", known.after(10.0))
    assert (there.get("h").quiet_until, there.get("h").strikes, there.get("h").closed_until) == (55.0, 3, -1.0)
    assert here.known("never asked") is None


def test_what_several_threads_tell_at_once_arrives_frame_by_frame() -> None:
    reading, writing = os.pipe()
    said = [(number, "x" * 200_000) for number in range(40)]

    def tell() -> None:
        with os.fdopen(writing, "wb") as stream, ThreadPoolExecutor(8) as threads:
            list(threads.map(partial(send, stream), said))

    with ThreadPoolExecutor(1) as telling, os.fdopen(reading, "rb") as stream:
        telling.submit(tell)
        heard = [receive(stream) for _ in said]
        assert receive(stream) is None
    assert sorted(heard) == said
