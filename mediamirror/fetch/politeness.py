"""How many requests run at once, to one host and over all, and the waits before they start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from contextvars import ContextVar
from random import Random

from mediamirror.errors import FetchError
from mediamirror.fetch.hosts import Host, Hosts, host_of
from mediamirror.fetch.request import Fetcher, Request
from mediamirror.model import Download
from mediamirror.settings import FetchOptions

Aside = Callable[[], AbstractAsyncContextManager[None]]
"""Makes the context of a wait: on entering the task gives up its place in the run, on leaving it takes one again."""

_aside: ContextVar[Aside | None] = ContextVar("aside", default=None)


def step_aside_by(aside: Aside) -> None:
    """Wrap every later wait of the current task in ``aside()``. Only `jobs.run.lanes` calls this, once for each task."""
    _aside.set(aside)


def waiting() -> AbstractAsyncContextManager[None]:
    """Return the context for a wait: for a host's slot, spacing or backoff, its name, its robots.txt, a retry.

    Every wait of a fetch goes through here, so that a task that only waits does not count as one at work.
    """
    aside = _aside.get()
    return nullcontext() if aside is None else aside()


class Polite:
    """Limits requests per host and over all.

    A host's slot is taken first and a global one last, so that a task that waits for its host holds no slot that other
    hosts could use. Requests to one host start ``options.delay`` seconds apart, or its Crawl-delay. ``hosts`` keeps each host's
    backoff and breaker: where the backoff is over ``options.retry_after_cap``, or the breaker is open, `HostBusy` or
    `HostUnavailable` is raised and no request is sent.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        options: FetchOptions,
        *,
        hosts: Hosts | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._sleep = sleep
        self._everyone = asyncio.Semaphore(options.concurrency)
        if hosts is None:
            hosts = Hosts(options, clock=clock, random=Random())  # noqa: S311 - spreads load, guards nothing
        self._hosts = hosts

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL once its host and the whole run have a free slot."""
        async with self._turn(host_of(request.url), request.url) as host:
            began = self._clock()
            try:
                download = await self._fetcher.fetch(request)
            except FetchError as error:
                self._hosts.failed(host, error, began)
                raise
            except BaseException:
                self._hosts.abandoned(host)
                raise
            self._hosts.answered(host)
            return download

    @asynccontextmanager
    async def _turn(self, name: str, url: str) -> AsyncIterator[Host]:
        host = self._hosts.get(name)
        host.users += 1
        try:
            if host.slots.locked():
                async with waiting():
                    await host.slots.acquire()
            else:
                await host.slots.acquire()
            try:
                await self._start(host, name, url)
                async with self._everyone:
                    yield host
            finally:
                host.slots.release()
        finally:
            host.users -= 1

    async def _start(self, host: Host, name: str, url: str) -> None:
        self._hosts.check(name, url)
        while (seconds := self._hosts.start(host)) > 0:
            async with waiting():
                await self._sleep(seconds)
            self._hosts.check(name, url)
