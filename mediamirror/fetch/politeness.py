"""How many requests at once: to one host, and over all. And who waits when a host asks for a pause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache

from mediamirror.errors import HostBusy, HTTPStatus
from mediamirror.fetch.request import Fetcher, Request
from mediamirror.fetch.urls import redact_url
from mediamirror.model import Download
from mediamirror.settings import FetchOptions

_SWEEP_OVER = 1024
_LONGEST_HOST = 255


@dataclass(slots=True)
class _Host:
    slots: asyncio.Semaphore
    users: int = 0
    next_start: float = 0.0
    quiet_until: float = 0.0
    quiet_status: int = field(default=503)


class Polite:
    """Holds requests back per host and over all.

    A host's slot is taken first and a global one last, so that a task that waits for its host keeps none of the slots
    the other hosts could use. Starts to one host lie ``options.delay`` seconds apart. A 429 or 503 with Retry-After
    quiets the whole host for that long, for everyone; a pause over ``options.retry_after_cap`` is not waited for:
    whoever asks for that host meanwhile gets the same `HTTPStatus` without a question to the origin.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        options: FetchOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._fetcher = fetcher
        self._options = options
        self._clock = clock
        self._sleep = sleep
        self._everyone = asyncio.Semaphore(options.concurrency)
        self._hosts: dict[str, _Host] = {}

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL when its host and the whole run have room for it."""
        host = self._host(host_of(request.url))
        host.users += 1
        try:
            async with host.slots:
                await self._wait_turn(host, request)
                async with self._everyone:
                    return await self._fetcher.fetch(request)
        except HTTPStatus as error:
            self._quiet(host, error)
            raise
        finally:
            host.users -= 1

    def _host(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            self._sweep()
            host = self._hosts[name] = _Host(asyncio.Semaphore(self._options.host_concurrency))
        return host

    async def _wait_turn(self, host: _Host, request: Request) -> None:
        while True:
            now = self._clock()
            if host.quiet_until - now > self._options.retry_after_cap:
                raise _still_quiet(host, request, host.quiet_until - now)
            start = max(host.quiet_until, host.next_start)
            if start <= now:
                break
            await self._sleep(start - now)
        host.next_start = now + self._options.delay

    def _quiet(self, host: _Host, error: HTTPStatus) -> None:
        if error.status in {429, 503} and error.retry_after is not None:
            host.quiet_until = max(host.quiet_until, self._clock() + error.retry_after)
            host.quiet_status = error.status

    def _sweep(self) -> None:
        """Forget hosts that nobody asks and that ask nothing of us: memory must not grow with the hosts seen."""
        if len(self._hosts) < _SWEEP_OVER:
            return
        now = self._clock()
        busy = {n: h for n, h in self._hosts.items() if h.users or max(h.quiet_until, h.next_start) > now}
        self._hosts = busy


def host_of(url: str) -> str:
    """What stands for the host in a serialised URL, without port; the URL's own start when it has none."""
    authority = url.split("/", 3)[2:3] or [url[:_LONGEST_HOST]]
    return _without_port(authority[0])


@lru_cache(maxsize=1024)
def _without_port(authority: str) -> str:
    host, colon, _ = authority.rpartition(":")
    return authority if not colon or authority.endswith("]") else host


def _still_quiet(host: _Host, request: Request, seconds: float) -> HostBusy:
    return HostBusy(
        f"{redact_url(request.url)} was not asked for: its host wants to be left alone for {seconds:.0f} s more "
        f"(it answered {host.quiet_status}). Run the same command again later."
    )
