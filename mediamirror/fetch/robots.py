"""robots.txt by RFC 9309: fetched once per origin, cached for a day, matched without blocking other hosts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator

from mediamirror.errors import FetchError, HTTPStatus, RobotsRefused
from mediamirror.fetch.client import Admit
from mediamirror.fetch.hosts import LONGEST_CRAWL_DELAY, UNREACHABLE, Hosts, host_of, waiting
from mediamirror.fetch.request import Fetcher, Request, Target, discard
from mediamirror.fetch.robots_rules import BLOCK, Rules
from mediamirror.first_use import dataclass, replace
from mediamirror.model import Download
from mediamirror.redact import redact_url

log = logging.getLogger("mediamirror")

MAX_BYTES = 500 * 1024
"""Bytes that are read of a robots.txt (RFC 9309, 2.5); the rest is ignored."""

ACCEPTED_BYTES = 4 * MAX_BYTES
"""A larger answer is no robots.txt; it counts as unreachable."""

_FRESH = 24 * 3600.0
_FRESH_FAILURE = 300.0
_FRESH_UNREACHABLE = 4.0
"""Shorter than the first of `hosts.PROBES`: a probe of the host fetches robots.txt again."""
_MOST_ORIGINS = 4096
MOST_KEPT = 32 * 1024 * 1024
"""Bytes of rules cached over all origins, about; over that the largest is evicted, and fetched again when needed."""

_MOST_TOLD = 64 * 1024
"""Bytes of rules that are told to other processes; longer ones are asked for again there."""

_PARSED_AT_ONCE = 16 * 1024
"""Characters of a robots.txt up to which it is parsed here; a longer one is parsed in a thread."""

_MATCHED_AT_ONCE = 64 * 1024
"""Rules times characters of a path that are matched in about a millisecond."""

_MAY = "if the site allows it to you, give --ignore-robots."


@dataclass(frozen=True, slots=True)
class Verdict:
    """A cached robots.txt: its rules, or the failure that closes the origin for now, or neither: no restriction.

    ``until`` is the time of the clock up to which it holds.
    """

    until: float
    rules: Rules | None = None
    failure: FetchError | None = None
    crawl_delay: float = 0.0

    @property
    def size(self) -> int:
        """Bytes that its rules take, about."""
        return 0 if self.rules is None else self.rules.size


class Robots:
    """Says whether a URL may be fetched.

    2xx: the rules decide. 4xx: everything is allowed (2.3.1.3). 5xx, a broken transfer, no connection: nothing is
    (2.3.1.4); where there was no connection, that error is raised, since it is what the user has to know.
    ``fetcher`` should follow at least five redirects. ``token`` is the product token, such as ``mediamirror``.
    """

    def __init__(self, fetcher: Fetcher, *, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._token = token
        self._clock = clock
        self._known: dict[str, Verdict] = {}
        self._kept = 0
        self._long_match = asyncio.Lock()
        self._asking: dict[str, asyncio.Lock] = {}

    async def require(self, target: Target) -> float:
        """Return the Crawl-delay in seconds, or 0, when the URL may be fetched.

        Raises `RobotsRefused`, or the error with which fetching robots.txt failed.
        """
        verdict = await self._verdict(target.origin)
        if verdict.failure is not None:
            raise _again(verdict.failure, target)
        if verdict.rules is not None and not await self._is_open(verdict.rules, target.target.decode()):
            raise RobotsRefused(f"{redact_url(target.href)} is disallowed by {target.origin}/robots.txt; {_MAY}")
        return verdict.crawl_delay

    async def sitemaps(self, origin: str) -> tuple[str, ...]:
        """Return the sitemaps that an origin's robots.txt names, as they stand there; none when it can't be read."""
        verdict = await self._verdict(origin)
        return () if verdict.rules is None else verdict.rules.sitemaps

    def known(self) -> Iterator[tuple[str, Verdict]]:
        """Yield what each origin said, for another process; ``until`` is then in seconds from now."""
        now = self._clock()
        for origin, verdict in self._known.items():
            if verdict.size <= _MOST_TOLD:
                yield origin, replace(verdict, until=verdict.until - now)

    def learn(self, robots: Iterable[tuple[str, Verdict]]) -> None:
        """Go on with what another process was told by some origins."""
        for origin, verdict in robots:
            self._remember(origin, replace(verdict, until=self._clock() + verdict.until))

    async def _is_open(self, rules: Rules, path: str) -> bool:
        if rules.steps * BLOCK * len(path) <= _MATCHED_AT_ONCE:
            return rules.allows(path)
        # One at a time, and one step in each turn of the loop: whoever has such rules holds up nobody else.
        async with self._long_match:
            answer = None
            for answer in rules.search(path):
                if answer is not None:
                    break
                await asyncio.sleep(0)
        return bool(answer)

    async def _verdict(self, origin: str) -> Verdict:
        verdict = self._known.get(origin)
        if verdict is not None and verdict.until > self._clock():
            return verdict
        async with waiting():
            return await self._ask_once(origin)

    async def _ask_once(self, origin: str) -> Verdict:
        # A lock and not a shared task: when whoever asks is cancelled, the next one in line asks.
        lock = self._asking.setdefault(origin, asyncio.Lock())
        async with lock:
            verdict = self._known.get(origin)
            if verdict is None or verdict.until <= self._clock():
                verdict = await self._ask(origin)
                self._remember(origin, verdict)
        self._asking.pop(origin, None)
        return verdict

    async def _ask(self, origin: str) -> Verdict:
        request = Request(
            f"{origin}/robots.txt", accept="text/plain,*/*;q=0.5", max_size=ACCEPTED_BYTES, allow_empty=True
        )
        try:
            download = await self._fetcher.fetch(request)
        except HTTPStatus as error:
            if 400 <= error.status < 500:
                return Verdict(self._clock() + _FRESH)
            return Verdict(self._clock() + _FRESH_FAILURE, failure=error)
        except FetchError as error:
            fresh = _FRESH_UNREACHABLE if isinstance(error, UNREACHABLE) else _FRESH_FAILURE
            return Verdict(self._clock() + fresh, failure=error)
        text = _text(download)
        if len(text) <= _PARSED_AT_ONCE:
            rules = Rules(text, self._token)
        else:
            rules = await asyncio.to_thread(Rules, text, self._token)
        return Verdict(self._clock() + _FRESH, rules=rules, crawl_delay=_crawl_delay(rules, origin))

    def _remember(self, origin: str, verdict: Verdict) -> None:
        self._forget(origin)
        if len(self._known) >= _MOST_ORIGINS:
            self._forget(next(iter(self._known)))
        while self._known and self._kept + verdict.size > MOST_KEPT:
            self._forget(max(self._known, key=lambda each: self._known[each].size))
        self._known[origin] = verdict
        self._kept += verdict.size

    def _forget(self, origin: str) -> None:
        old = self._known.pop(origin, None)
        self._kept -= old.size if old is not None else 0


async def admit(target: Target, find: Admit, robots: Robots | None, hosts: Hosts) -> None:
    """Return once a URL may be fetched: ``find`` has looked up its host's name, and its robots.txt allows it.

    A task holds no slot while it waits for these. ``hosts`` is told of a Crawl-delay, and of a host that can't be reached.
    """
    name = host_of(target.href)
    hosts.check(name, target.href)
    try:
        await find(target)
        crawl_delay = 0.0 if robots is None else await robots.require(target)
    except UNREACHABLE as error:
        hosts.unreachable(name, error)
        raise
    if robots is not None:
        hosts.get(name).reached = True
    if crawl_delay:
        hosts.space(name, crawl_delay)


def _crawl_delay(rules: Rules, origin: str) -> float:
    if rules.crawl_delay > LONGEST_CRAWL_DELAY:
        log.warning("%s asks for a Crawl-delay of %g s; %g s are kept.", origin, rules.crawl_delay, LONGEST_CRAWL_DELAY)
    return min(rules.crawl_delay, LONGEST_CRAWL_DELAY)


def _text(download: Download) -> str:
    body = download.body
    data = b"" if body is None else body.data if body.data is not None else body.prefix
    discard(body)
    if len(data) > MAX_BYTES:
        data = data[:MAX_BYTES].rpartition(b"\n")[0]  # half a rule would close more than it says
    return data.decode("utf-8-sig", "replace")


def _again(failure: FetchError, target: Target) -> FetchError:
    """A new error for each URL of an origin whose robots.txt failed; not retryable, since the failure is cached."""
    if isinstance(failure, HTTPStatus):
        return RobotsRefused(
            f"{redact_url(target.href)} was not requested: {target.origin}/robots.txt answered {failure.status}, "
            f"and until it can be read nothing may be fetched there; {_MAY}"
        )
    error = type(failure)(failure.message)
    error.retryable = False
    error.deferred = isinstance(error, UNREACHABLE)
    return error
