"""Put the fetchers together, once: bounded retries (here) over redirects over politeness over one client over one transport."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

from mediamirror.errors import ConnectFailed, FetchError, HTTPStatus
from mediamirror.fetch.answer import robots_token
from mediamirror.fetch.body import Bucket
from mediamirror.fetch.client import Admit, Client, Following
from mediamirror.fetch.guard import Guard, guard_for, rewire
from mediamirror.fetch.hosts import Hosts, KnownHost, Outlook, Polite, host_of, jitter, waiting, without_port
from mediamirror.fetch.request import Fetcher, Request, Target, check_options, user_agent
from mediamirror.fetch.robots import ACCEPTED_BYTES, Robots, admit
from mediamirror.fetch.transport import CurlTransport, Names, NameServerSilent
from mediamirror.first_use import dataclass, replace
from mediamirror.model import Download
from mediamirror.redact import redact_url
from mediamirror.settings import FetchOptions
from mediamirror.wire import Carrier, Transport

log = logging.getLogger("mediamirror")

_ROBOTS_SECONDS = 20.0
_ROBOTS_REDIRECTS = 5

BUDGET = 50.0
"""Retries in a host's budget at the start, and at most."""

REFUND = 0.3
"""Part of a retry that every success adds to the budget: in the long run, retries per success."""


def delay(attempt: int, random: Random, *, retry_after: float | None = None) -> float:
    """Seconds to wait before the next try; ``attempt`` counts the failures so far, from 1.

    Full jitter (`hosts.jitter`). After a Retry-After it is that time and up to a tenth more, so that not all retries come
    in the same instant.
    """
    drawn = jitter(attempt, random)
    return drawn if retry_after is None else retry_after + min(drawn, retry_after / 10)


def next_wait(error: FetchError, attempt: int, elapsed: float, options: FetchOptions, random: Random) -> float | None:
    """Seconds to wait before trying again, or None to give up.

    | error           | tries left | Retry-After | time left | answer      |
    |-----------------|------------|-------------|-----------|-------------|
    | not retryable   |            |             |           | give up     |
    | retryable       | none       |             |           | give up     |
    | retryable       | some       | over cap    |           | give up     |
    | retryable       | some       | within cap  | no        | give up     |
    | retryable       | some       | within cap  | yes       | Retry-After |
    | retryable       | some       | absent      | yes       | jitter      |

    "Time left": waiting would not go past twice the timeout and the longest Retry-After since the first try began.
    """
    if not error.retryable or attempt > options.retries:
        return None
    retry_after = error.retry_after if isinstance(error, HTTPStatus) else None
    if retry_after is not None and retry_after > options.retry_after_cap:
        return None
    wait = delay(attempt, random, retry_after=retry_after)
    return wait if elapsed + wait <= 2 * options.timeout + options.retry_after_cap else None


class RetryBudget:
    """How many more retries a host gets: a token bucket, so that retries don't overload a failing host.

    A retry takes a token, a success puts `REFUND` of one back, up to `BUDGET`. Only hosts with less than that are kept.
    """

    def __init__(self) -> None:
        self._left: dict[str, float] = {}

    def take(self, host: str) -> bool:
        """Take a token for a retry; False when none is left."""
        left = self._left.get(host, BUDGET)
        if left < 1:
            return False
        self._left[host] = left - 1
        return True

    def succeeded(self, host: str) -> None:
        """Add `REFUND` for a success."""
        left = self._left.get(host)
        if left is None:
            return
        if left + REFUND >= BUDGET:
            del self._left[host]
        else:
            self._left[host] = left + REFUND


class Retrying:
    """Retries what may succeed later, after `next_wait`, while its host's `RetryBudget` lasts. Raises the last error.

    When the host as a whole is the cause, since it can't be reached or its Retry-After is over the cap, the error is raised
    at once with ``deferred`` set: the caller may re-queue the item.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        options: FetchOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._fetcher = fetcher
        self._options = options
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - spreads load, guards nothing
        self._sleep = sleep
        self._budget = RetryBudget()

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL, with at most ``options.retries`` retries."""
        host = host_of(request.url)
        started = self._clock()
        attempt = 0
        last: FetchError | None = None
        while True:
            try:
                download = await self._fetcher.fetch(request)
            except FetchError as error:
                if error.deferred and last is not None:
                    # The item's own error says more than that its host is not asked any more.
                    last.deferred = True
                    raise last from error
                attempt += 1
                wait = next_wait(error, attempt, self._clock() - started, self._options, self._random)
                if wait is None or not self._budget.take(host):
                    error.deferred = error.deferred or _over_cap(error, self._options)
                    raise
                last = error
            else:
                self._budget.succeeded(host)
                return download
            async with waiting():
                await self._sleep(wait)


def _over_cap(error: FetchError, options: FetchOptions) -> bool:
    asked = error.retry_after if isinstance(error, HTTPStatus) else None
    return asked is not None and asked > options.retry_after_cap


@dataclass(frozen=True, slots=True)
class OpenFetcher:
    """The whole stack, open. ``transport`` is the connection pool beneath it; nothing but the stack sends through it."""

    stack: Fetcher
    transport: Carrier
    hosts: Hosts
    robots: Robots | None

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL: guard, politeness, robots.txt, redirects and retries included."""
        return await self.stack.fetch(request)

    def outlook(self, authority: str) -> Outlook:
        """Return when the next request to a ``host`` or ``host:port`` may start."""
        return self.hosts.outlook(without_port(authority))

    def known(self, names: Iterable[str]) -> dict[str, KnownHost]:
        """Return what was learnt of hosts, for another process that asks them next."""
        found = {name: known for name in names if (known := self.hosts.known(name)) is not None}
        for origin, verdict in () if self.robots is None else self.robots.known():
            if (name := host_of(origin)) in found:
                found[name] = replace(found[name], robots=(*found[name].robots, (origin, verdict)))
        return found

    def learn(self, known: Mapping[str, KnownHost]) -> None:
        """Go on with what another process has learnt of hosts."""
        for name, each in known.items():
            self.hosts.learn(name, each)
            if self.robots is not None:
                self.robots.learn(each.robots)

    async def sitemaps(self, origin: str) -> tuple[str, ...] | None:
        """Return the sitemaps that an origin's cached robots.txt names; None with ``--ignore-robots``."""
        return None if self.robots is None else await self.robots.sitemaps(origin)


@asynccontextmanager
async def open_fetcher(
    options: FetchOptions,
    *,
    spool_dir: Path,
    own_hosts: frozenset[str] = frozenset(),
    guard: Guard | None = None,
    random: Random | None = None,
    names: Names | None = None,
    transport: Transport | None = None,
) -> AsyncIterator[OpenFetcher]:
    """Open the stack for one run, and close every connection after it.

    ``spool_dir`` is an existing directory for bodies too large for memory. ``own_hosts`` are the INPUTs' origins, or hosts
    (``host`` or ``host:port``): they may see secret headers. ``guard`` takes the place of the one that the options ask
    for, ``names`` that of the system's look-up, ``transport`` that of the network: it is handed requests whose names were not
    looked up, and stays open. Raises `UsageError` for a ``--cacert`` that can't be read, a malformed
    ``--allow-host``, or a ``--connect-to`` beside a ``--proxy``.
    """
    check_options(options)
    guard = guard or guard_for(options)
    agent = user_agent(options)
    names = names or Names(options.connect_timeout)
    async with AsyncExitStack() as stack:
        if transport is None:
            carrier: Carrier = await stack.enter_async_context(_network(options, guard, names))
            find: Admit = partial(find_name, names=names, options=options)
        else:
            from mediamirror.fetch.handed_in import OverHttpx2  # noqa: PLC0415 - start-up time

            carrier, find = OverHttpx2(transport), _not_looked_up
            guard = replace(guard, by_proxy=True)  # it is not we who dial
        random = random or Random()  # noqa: S311 - spreads load, guards nothing
        hosts = Hosts(options, clock=time.monotonic, random=random)
        robots = Robots(_robots_fetcher(carrier, options, guard, spool_dir, agent, find), token=robots_token(agent))
        client = Client(
            carrier,
            options,
            spool_dir=spool_dir,
            guard=guard,
            own_hosts=own_hosts,
            bucket=Bucket(options.limit_rate) if options.limit_rate else None,
            user_agent=agent,
        )
        asked = robots if options.robots else None
        polite = Polite(client, options, hosts=hosts)
        following = Following(polite, options, guard, partial(admit, find=find, robots=asked, hosts=hosts))
        if not options.robots:
            log.warning("robots.txt is ignored, by --ignore-robots: forbidden paths and Crawl-delay are not obeyed.")
        yield OpenFetcher(Retrying(following, options, random=random), carrier, hosts, asked)


def _network(options: FetchOptions, guard: Guard, names: Names) -> CurlTransport:
    return CurlTransport(
        guard=guard,
        connect_to=options.connect_to,
        cacert=options.cacert,
        proxy=options.proxy,
        # Room for robots.txt beyond the downloads; what is waited for is decided above, not here.
        limit=options.concurrency + 32,
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        max_field=options.max_header_size,
        names=names,
    )


async def _not_looked_up(target: Target) -> None:
    """With a transport of the caller's own no name is looked up here."""


def _robots_fetcher(
    transport: Carrier, options: FetchOptions, guard: Guard, spool_dir: Path, agent: str, find: Admit
) -> Fetcher:
    own = replace(
        options,
        timeout=min(options.timeout, _ROBOTS_SECONDS),
        max_redirects=_ROBOTS_REDIRECTS,
        spool_over=ACCEPTED_BYTES,
        retries=min(options.retries, 2),
    )
    plain = Client(transport, own, spool_dir=spool_dir, guard=guard, user_agent=agent)
    return Retrying(Following(plain, own, guard, find), own)


async def find_name(target: Target, *, names: Names, options: FetchOptions) -> None:
    """Wait until a URL's host has been looked up, the first time it is asked for.

    So a look-up that times out holds no connection and no slot. A name that does not exist is left to the request to
    report. Raises `ConnectFailed`, deferred and not retryable, when the name server stays silent.
    """
    host, _ = rewire(target.host, target.port, options.connect_to)
    if options.proxy is not None or names.found(host):
        return
    try:
        async with waiting():
            await names.look_up(host)
    except NameServerSilent:
        error = ConnectFailed(
            f"{redact_url(target.href)}: the name of its host was not found in {names.seconds:g} s, "
            "since the name server did not answer."
        )
        error.retryable = False
        error.deferred = True
        raise error from None
    except OSError:
        return
