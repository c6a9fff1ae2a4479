"""How many requests at once: to one host, and over all. And who waits when a host asks for a pause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import ContextVar
from random import Random

from mediamirror.errors import FetchError
from mediamirror.fetch.hosts import Host, Hosts, host_of
from mediamirror.fetch.request import Fetcher, Request
from mediamirror.model import Download
from mediamirror.settings import FetchOptions

Aside = Callable[[], AbstractAsyncContextManager[None]]
"""Makes the context in which a task waits: left out of what is under way, and let in again at its end."""

_aside: ContextVar[Aside | None] = ContextVar("aside", default=None)


def step_aside_by(aside: Aside) -> None:
    """From now on, waits of the current task happen inside ``aside()``."""
    _aside.set(aside)


def waiting() -> AbstractAsyncContextManager[None]:
    """Use as ``async with`` around a wait for a host: for its turn, its pause, its robots.txt, the next try."""
    aside = _aside.get()
    return nullcontext() if aside is None else aside()


class _Lease:
    """What a request holds: its host's slot, and one of all. A redirect to another host changes the host."""

    __slots__ = ("began", "everyone", "host", "name")

    def __init__(self, everyone: asyncio.Semaphore) -> None:
        self.everyone = everyone
        self.name = ""
        self.host: Host | None = None
        self.began = 0.0


_lease: ContextVar[_Lease | None] = ContextVar("lease", default=None)


class Polite:
    """Holds requests back per host and over all.

    A host's slot is taken first and a global one last, so that a task that waits for its host keeps none of the slots
    the other hosts could use. Starts to one host lie ``options.delay`` seconds apart, or by its Crawl-delay. What a host
    answered, and whether it answers at all, is kept in ``hosts``; one that wants a pause over ``options.retry_after_cap``,
    or that can't be reached, is not waited for: whoever asks for it meanwhile gets `HostBusy` or `HostUnavailable`
    without a question to the origin.
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
        """Fetch one URL when its host and the whole run have room for it."""
        lease = _Lease(self._everyone)
        token = _lease.set(lease)
        try:
            await self._enter(lease, host_of(request.url), request.url)
            download = await self._fetcher.fetch(request)
        except FetchError as error:
            if lease.host is not None:
                self._hosts.failed(lease.host, error, lease.began)
            raise
        except BaseException:
            if lease.host is not None:
                self._hosts.abandoned(lease.host)
            raise
        else:
            if lease.host is not None:
                self._hosts.answered(lease.host)
            return download
        finally:
            _lease.reset(token)
            _leave(lease)

    def redirected(self) -> None:
        """Give back what the request of this task holds: its host has answered, and what comes next may have to wait.

        Who waits for the goal's robots.txt holding a place would keep it from those who were let in meanwhile, who
        keep theirs from him: with as many of each as there are places, for ever.
        """
        lease = _lease.get()
        if lease is not None and lease.host is not None:
            self._hosts.answered(lease.host)
            _leave(lease)

    async def follow(self, url: str) -> None:
        """Wait until a redirect of the request of this task may be followed: its goal's host is asked like any other."""
        self.redirected()
        if (lease := _lease.get()) is not None:
            await self._enter(lease, host_of(url), url)

    async def _enter(self, lease: _Lease, name: str, url: str) -> None:
        host = self._hosts.get(name)
        host.users += 1
        held = False
        try:
            if host.slots.locked():
                async with waiting():
                    await host.slots.acquire()
            else:
                await host.slots.acquire()
            held = True
            self._hosts.check(name, url)
            while (seconds := self._hosts.start(host)) > 0:
                async with waiting():
                    await self._sleep(seconds)
                self._hosts.check(name, url)
            await lease.everyone.acquire()
        except BaseException:
            host.users -= 1
            if held:
                host.slots.release()
            raise
        lease.host, lease.name, lease.began = host, name, self._clock()


def _leave(lease: _Lease) -> None:
    if lease.host is not None:
        lease.everyone.release()
        lease.host.slots.release()
        lease.host.users -= 1
        lease.host = None
