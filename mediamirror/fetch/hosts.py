"""The state of each host in a run: its spacing, its backoff after 429 and 503, its circuit breaker; and the waits for it.

`Hosts` is pure but for the clock and the random numbers, which are passed in; only `Polite` waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from mediamirror.errors import (
    BadContentEncoding,
    BodyTooLarge,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    EmptyBody,
    FetchError,
    HostBusy,
    HostUnavailable,
    HTTPStatus,
    NotHTTP,
    RobotsTagRefused,
    TooManyRedirects,
    TooSlow,
    TransferTruncated,
)
from mediamirror.fetch.request import Fetcher, Request
from mediamirror.first_use import dataclass, replace
from mediamirror.model import Download
from mediamirror.redact import redact_url
from mediamirror.settings import FetchOptions

BASE = 0.5
LONGEST = 30.0


def jitter(attempt: int, random: Random) -> float:
    """Seconds, by exponential backoff with full jitter: uniform between 0 and 0.5 s doubled with every failure, at most 30 s.

    ``attempt`` counts the failures so far, from 1.
    """
    return random.uniform(0.0, min(LONGEST, BASE * 2.0 ** min(attempt - 1, 16)))


BREAK_AFTER = 8
"""Connection failures and timeouts in a row that open a host's circuit breaker."""

PROBES = (5.0, 15.0)
"""Seconds from the breaker's opening to the first probe, and from a failed probe to the next; then the last for good."""

LAST_PROBE = 60.0
"""Seconds between probes after those."""

LONGEST_CRAWL_DELAY = 30.0
"""A longer Crawl-delay is shortened to this many seconds."""

UNREACHABLE = (ConnectFailed, ConnectionLost, DeadlineExceeded, TooSlow)
"""Errors that count as failures of the host, not of the URL."""

_ANSWERS = (
    *(HTTPStatus, TransferTruncated, EmptyBody, BodyTooLarge, BadContentEncoding),
    *(TooManyRedirects, RobotsTagRefused, NotHTTP),
)
_MOMENT = 1e-3
"""Waits shorter than this many seconds are skipped; rounding leaves less."""

_SWEEP_OVER = 1024
_LONGEST_HOST = 255


class Outlook(NamedTuple):
    """When the next request to a host may start, for the scheduler of a run."""

    seconds: float
    """Seconds until then; 0: now."""
    hopeful: bool = True
    """Whether the run waits for it when no other work is left."""
    probe: bool = False
    """Whether the breaker is open: one request may go through as a probe."""


NOW = Outlook(0.0)


@dataclass(slots=True)
class Host:
    """One host's state. Times are in seconds of the clock that `Hosts` was given."""

    slots: asyncio.Semaphore
    users: int = 0
    spacing: float = 0.0
    next_start: float = 0.0
    quiet_until: float = 0.0
    quiet_status: int = 503
    strikes: int = 0
    """429 and 503 in a row."""
    failures: int = 0
    """Connection failures and timeouts in a row."""
    probes: int = 0
    """How often in a row the breaker has opened; 0: it is closed."""
    closed_until: float = 0.0
    probing: bool = False
    reached: bool = False
    """Whether it has answered anything in this run: then the run waits for its probes."""
    cause: str = ""


_LASTING = ("spacing", "quiet_status", "strikes", "failures", "probes", "reached", "cause")
_TIMES = ("next_start", "quiet_until", "closed_until")


@dataclass(frozen=True, slots=True)
class KnownHost:
    """What one process has learnt of a host, for another that asks it next.

    ``times`` are those of `Host`, in seconds from the moment when this was told: two machines have no clock in common.
    ``robots`` is a `robots.Verdict` for each of its origins.
    """

    lasting: tuple[Any, ...]
    times: tuple[float, ...]
    robots: tuple[tuple[str, Any], ...] = ()

    @property
    def waits(self) -> bool:
        """Whether it must not be asked right now."""
        return any(seconds > _MOMENT for seconds in self.times)

    def after(self, seconds: float) -> KnownHost:
        """Return what of it holds so much later."""
        robots = tuple((origin, replace(verdict, until=verdict.until - seconds)) for origin, verdict in self.robots)
        return KnownHost(self.lasting, tuple(each - seconds for each in self.times), robots)


class Hosts:
    """The states of all hosts, and the decisions made from them.

    | outcome of a request          | what the host does next                                                    |
    |-------------------------------|----------------------------------------------------------------------------|
    | 429 or 503 with Retry-After   | backs off for that long                                                    |
    | 429 or 503 without            | backs off for a jittered time that doubles with each in a row, at most 30 s |
    | `BREAK_AFTER` failures in a row | breaker opens: one probe after 5 s, after 15 s, then every 60 s          |
    | anything else                 | no backoff, breaker closed                                                 |

    A backoff longer than ``options.retry_after_cap`` is not waited for.
    """

    def __init__(self, options: FetchOptions, *, clock: Callable[[], float], random: Random) -> None:
        self._options = options
        self._clock = clock
        self._random = random
        self._hosts: dict[str, Host] = {}
        self._sweep_over = _SWEEP_OVER

    def __len__(self) -> int:
        return len(self._hosts)

    def get(self, name: str) -> Host:
        """Return the state of a host, a new one the first time."""
        host = self._hosts.get(name)
        if host is None:
            self._sweep()
            slots = asyncio.Semaphore(self._options.host_concurrency)
            host = self._hosts[name] = Host(slots, spacing=self._options.delay)
        return host

    def known(self, name: str) -> KnownHost | None:
        """Return what was learnt of a host; None for one that was never asked."""
        if (host := self._hosts.get(name)) is None:
            return None
        now = self._clock()
        times = (getattr(host, each) - now for each in _TIMES)
        return KnownHost(tuple(getattr(host, each) for each in _LASTING), tuple(times))

    def learn(self, name: str, known: KnownHost) -> None:
        """Go on with what another process has learnt of a host."""
        host, now = self.get(name), self._clock()
        for each, value in zip(_LASTING, known.lasting, strict=True):
            setattr(host, each, value)
        for each, seconds in zip(_TIMES, known.times, strict=True):
            setattr(host, each, now + seconds)

    def outlook(self, name: str) -> Outlook:
        """Return when the next request to a host may start."""
        host = self._hosts.get(name)
        if host is None:
            return NOW
        now = self._clock()
        if host.probes:
            pause = PROBES[0] if host.probing else max(0.0, host.closed_until - now)
            return Outlook(pause, hopeful=host.reached and host.probes <= len(PROBES), probe=True)
        quiet = host.quiet_until - now
        if quiet > _MOMENT:
            return Outlook(quiet, hopeful=quiet <= self._options.retry_after_cap)
        wait = host.next_start - now
        return Outlook(wait) if wait > _MOMENT else NOW

    def check(self, name: str, url: str) -> None:
        """Raise `HostUnavailable` while the breaker is open, `HostBusy` while a backoff over the cap lasts."""
        host = self._hosts.get(name)
        if host is None:
            return
        now = self._clock()
        if host.probes and (host.probing or host.closed_until > now):
            raise _unavailable(host, url)
        if host.quiet_until - now > self._options.retry_after_cap:
            raise _still_quiet(host, url, host.quiet_until - now)

    def space(self, name: str, seconds: float) -> None:
        """Honour a Crawl-delay, in seconds: starts to the host lie this far apart, or by ``--delay`` when that is longer."""
        self.get(name).spacing = max(self._options.delay, min(seconds, LONGEST_CRAWL_DELAY))

    def start(self, host: Host) -> float:
        """Start a request and return 0, or return the seconds until one may start."""
        now = self._clock()
        wait = max(host.quiet_until, host.next_start) - now
        if wait > _MOMENT:
            return wait
        host.next_start = now + host.spacing
        host.probing = host.probes > 0
        return 0.0

    def answered(self, host: Host) -> None:
        """Record that the host gave a normal answer: reset backoff and breaker."""
        host.strikes = host.failures = host.probes = 0
        host.probing = False
        host.reached = True

    def failed(self, host: Host, error: FetchError, began: float) -> None:
        """Record the error of a request that began at that time."""
        if isinstance(error, UNREACHABLE) and not isinstance(error, NotHTTP):
            host.failures += 1
            if host.probing or (host.failures >= BREAK_AFTER and not host.probes):
                self._open(host, error)
            return
        strikes = host.strikes
        if not isinstance(error, _ANSWERS):
            self.abandoned(host)
            return
        self.answered(host)
        if isinstance(error, HTTPStatus) and error.status in {429, 503}:
            host.strikes = strikes
            self._quieten(host, error, began)

    def abandoned(self, host: Host) -> None:
        """Record that a request ended without saying anything about the host: the next one may be the probe."""
        host.probing = False

    def unreachable(self, name: str, error: FetchError) -> None:
        """Record that the host could not be reached in several tries: open its breaker at once."""
        host = self.get(name)
        if host.closed_until <= self._clock():
            self._open(host, error)

    def _open(self, host: Host, error: FetchError) -> None:
        pause = PROBES[host.probes] if host.probes < len(PROBES) else LAST_PROBE
        host.probes += 1
        host.failures = 0
        host.probing = False
        host.closed_until = self._clock() + pause
        host.cause = error.code

    def _quieten(self, host: Host, error: HTTPStatus, began: float) -> None:
        pause = error.retry_after
        if pause is None:
            if began < host.quiet_until:
                return  # one of a volley that was under way when the host first complained
            host.strikes += 1
            pause = jitter(host.strikes, self._random)
        host.quiet_until = max(host.quiet_until, self._clock() + pause)
        host.quiet_status = error.status

    def _sweep(self) -> None:
        """Drop hosts without requests, backoff or open breaker: memory must not grow with the hosts seen."""
        if len(self._hosts) < self._sweep_over:
            return
        now = self._clock()
        self._hosts = {name: host for name, host in self._hosts.items() if host.users or _until(host) > now}
        self._sweep_over = max(_SWEEP_OVER, 2 * len(self._hosts))


def _until(host: Host) -> float:
    return max(host.quiet_until, host.next_start, host.closed_until + LAST_PROBE if host.probes else 0.0)


def host_of(url: str) -> str:
    """What stands for the host in a serialised URL, without port; the URL's own start when it has none."""
    authority = url.split("/", 3)[2:3] or [url[:_LONGEST_HOST]]
    return without_port(authority[0])


@lru_cache(maxsize=1024)
def without_port(authority: str) -> str:
    """The host of ``host:port``, an IPv6 address in its brackets."""
    host, colon, _ = authority.rpartition(":")
    return authority if not colon or authority.endswith("]") else host


def _still_quiet(host: Host, url: str, seconds: float) -> HostBusy:
    return HostBusy(
        f"{redact_url(url)} was not requested: its host wants no requests for {seconds:.0f} s more "
        f"(it answered {host.quiet_status}). Run the same command again later."
    )


def _unavailable(host: Host, url: str) -> HostUnavailable:
    return HostUnavailable(
        f"{redact_url(url)} was not requested: its host could not be reached several times in a row "
        f"({host.cause}). Run the same command again when it is up."
    )


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
