"""A worker of a run that several share: takes shards, fetches, checks and publishes, and tells what became of each item.

It holds no lock and has no catalog: both are the run's. What it knows of hosts, its connections and its decoder process live on from
shard to shard. Started by ``python -m`` it takes shards on stdin and answers on stdout, until stdin ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import groupby

from mediamirror.catalog.ingest import host_of as authority_of
from mediamirror.catalog.results import Record
from mediamirror.catalog.work import WorkItem
from mediamirror.documents.reader_process import die_with_parent, receive, send
from mediamirror.errors import MediamirrorError
from mediamirror.fetch.hosts import Outlook, host_of
from mediamirror.first_use import dataclass, replace
from mediamirror.jobs.mirror.handle import Handler, Inspect, open_inspector, policy_for
from mediamirror.jobs.mirror.publish import Publisher, Stripper
from mediamirror.jobs.mirror.spread import Finished, Job, Said, Work
from mediamirror.jobs.run.destination import now
from mediamirror.jobs.run.lanes import PER_REQUEST, Later, run_lanes
from mediamirror.jobs.run.session import Needs, Session, open_run
from mediamirror.model import Summary
from mediamirror.redact import redact_log

READY = "ready"
Tell = Callable[[Said], Awaitable[None]]
_LOOK = 0.5
"""Seconds between looks at hosts that must not be asked: what a worker that is killed was told must hold for the next one."""


@asynccontextmanager
async def open_worker(job: Job) -> AsyncIterator[Worker]:
    """Open what a worker keeps. Raises `MediamirrorError` for what the user has to change: credentials above all."""
    options = job.options
    needs = Needs(
        command="worker",
        to=job.to,
        store=options.store,
        connections=options.fetch.concurrency + 16,
        fetch=options.fetch,
        own_hosts=job.own_origins,
        keeps=False,
    )
    async with (
        open_run(needs, conclude=lambda _: Summary(), emit=lambda _: None) as session,
        open_inspector(options.check) as inspect,
    ):
        yield Worker(job, session, inspect)


class Worker:
    """Runs shards, one at a time."""

    def __init__(self, job: Job, session: Session[Summary], inspect: Inspect) -> None:
        self._options = job.options
        self._policy = policy_for(job.options, job.first)
        self._session = session
        self._inspect = inspect
        self._stripper = Stripper() if job.options.store.strip_metadata else None
        self._publisher = Publisher(
            session.store,
            job.options.store,
            was_empty=job.was_empty,
            case_insensitive=job.folds_case,
            stripper=self._stripper,
        )

    async def run(self, work: Work, tell: Tell) -> Finished:
        """Handle every item of a shard, telling results as they come."""
        fetch, policy = self._options.fetch, replace(self._policy, keep_short=work.keep_short)
        handler = Handler(self._session.fetcher, self._inspect, self._publisher, policy, now=now)
        watch = _Watch(fetch.host_concurrency)

        async def handle(item: WorkItem) -> Record | Later[Record]:
            began = time.monotonic()
            result = await handler.handle(item)
            watch.saw(item, began)
            return result

        fetcher = self._session.fetcher
        await fetcher.learn(work.known)
        hosts = {host_of(item.variant.url) for item in work.items}
        warning = asyncio.create_task(self._warn(hosts, tell))
        try:
            await run_lanes(
                _Listed(work.items),
                handle,
                lambda records: tell([_light(record) for record in records]),
                width=PER_REQUEST * fetch.concurrency,
                host_width=fetch.host_concurrency,
                outlook=self._outlook,
            )
        finally:
            warning.cancel()
        known = {host: each for host, each in fetcher.known(hosts).items() if host in work.goes_on or each.waits}
        return Finished(watch.paces(), None if self._stripper is None else self._stripper.taken(), known)

    async def _warn(self, hosts: set[str], tell: Tell) -> None:
        """Tell of each host that wants to be left alone as soon as it does."""
        told: dict[str, tuple[object, ...]] = {}
        while True:
            await asyncio.sleep(_LOOK)
            known = self._session.fetcher.known(hosts)
            news = {host: each for host, each in known.items() if each.waits and told.get(host) != each.lasting}
            if news:
                told |= {host: each.lasting for host, each in news.items()}
                await tell(news)

    def _outlook(self, authority: str) -> Outlook:
        return self._session.fetcher.outlook(authority)


class _Listed:
    """Items that lie host by host, as a `Source`."""

    def __init__(self, items: Sequence[WorkItem]) -> None:
        self._items = items

    async def lanes(self) -> AsyncIterator[tuple[str, int, int]]:
        last = 0
        for host, items in groupby(self._items, lambda item: authority_of(item.variant.url)):
            first, last = last + 1, last + sum(1 for _ in items)
            yield host, first, last

    async def read(self, after: int, last: int, limit: int) -> Sequence[tuple[int, WorkItem]]:
        stop = min(last, after + limit)
        return list(enumerate(self._items[after:stop], after + 1))


@dataclass(slots=True)
class _Seen:
    first: float
    last: float = 0.0
    busy: float = 0.0
    count: int = 0


class _Watch:
    """Measures how long a request of each host takes.

    Of a host that is asked seldom, by its own wish or ours, the time between answers tells; of one with few items, their own time.
    """

    def __init__(self, host_width: int) -> None:
        self._host_width = host_width
        self._hosts: dict[str, _Seen] = {}

    def saw(self, item: WorkItem, began: float) -> None:
        ended = time.monotonic()
        seen = self._hosts.setdefault(host_of(item.variant.url), _Seen(began))
        seen.last, seen.count, seen.busy = ended, seen.count + 1, seen.busy + ended - began

    def paces(self) -> dict[str, float]:
        return {
            host: min((seen.last - seen.first) * self._host_width, seen.busy) / seen.count
            for host, seen in self._hosts.items()
        }


def _light(record: Record) -> Record:
    """The record without the bytes, which are in the store."""
    download = record.outcome.download
    if download is None or download.body is None:
        return record
    return replace(record, outcome=replace(record.outcome, download=replace(download, body=None)))


def main() -> None:
    """Serve shards until stdin ends, or whoever started us does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends us.
    shards, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what any library prints is no answer
    die_with_parent()
    job: Job = receive(shards)
    logging.basicConfig(level=job.level, stream=sys.stderr, format="%(message)s")
    for noisy in ("botocore", "boto3", "urllib3", "asyncio", "httpx2", "s3transfer"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    async def answer(what: object) -> None:
        await asyncio.to_thread(send, answers, what)

    async def serve() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            async with open_worker(job) as worker:
                await answer(READY)
                while (work := await asyncio.to_thread(receive, shards)) is not None:
                    await answer(await worker.run(work, answer))
        except MediamirrorError as error:
            await answer(error)

    with suppress(asyncio.CancelledError, BrokenPipeError):
        asyncio.run(serve())
    os._exit(0)  # A thread may wait for stdin still.


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        print(redact_log(f"{type(error).__name__}: {error}"), file=sys.stderr)  # noqa: T201 - the run reads it
        raise SystemExit(1) from None
