"""robots.txt by RFC 9309: asked once per origin, kept for a day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from protego import Protego

from mediamirror.errors import FetchError, HTTPStatus, RobotsRefused
from mediamirror.fetch.guard import Guard
from mediamirror.fetch.request import Fetcher, Request
from mediamirror.fetch.spool import discard
from mediamirror.fetch.urls import Target, parse_target, redact_url
from mediamirror.model import Download

MAX_BYTES = 500 * 1024
"""What is read of a robots.txt (RFC 9309, 2.5); the rest is ignored."""

ACCEPTED_BYTES = 4 * MAX_BYTES
"""A larger answer is no robots.txt; it counts as unreachable."""

_FRESH = 24 * 3600.0
_FRESH_FAILURE = 300.0
_MOST_ORIGINS = 4096


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What an origin's robots.txt came to: rules, or (neither set) no restriction, or the reason why nothing may be asked."""

    until: float
    rules: Protego | None = None
    failure: FetchError | None = None


class Robots:
    """Answers whether a URL may be asked for.

    2xx: the rules decide. 4xx: everything is allowed (2.3.1.3). 5xx, a broken transfer, no connection: nothing is
    (2.3.1.4); where there was no connection the error raised is that one, since it is what people need to know.
    ``fetcher`` should follow at least five redirects. ``token`` is the product token, such as ``mediamirror``.
    """

    def __init__(self, fetcher: Fetcher, *, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._token = token
        self._clock = clock
        self._known: dict[str, _Verdict] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def require(self, target: Target) -> None:
        """Return when the URL may be asked for; raise `RobotsRefused`, or the error that kept us from knowing."""
        verdict = self._known.get(target.origin)
        if verdict is None or verdict.until <= self._clock():
            verdict = await self._ask_once(target.origin)
        if verdict.failure is not None:
            raise _again(verdict.failure, target)
        if verdict.rules is not None and not verdict.rules.can_fetch(target.href, self._token):
            raise RobotsRefused(f"{redact_url(target.href)} is closed to robots by {target.origin}/robots.txt.")

    async def _ask_once(self, origin: str) -> _Verdict:
        # A lock and not a shared task: when whoever asks is cancelled, the next one in line asks.
        lock = self._asking.setdefault(origin, asyncio.Lock())
        async with lock:
            verdict = self._known.get(origin)
            if verdict is None or verdict.until <= self._clock():
                verdict = await self._ask(origin)
                self._remember(origin, verdict)
        self._asking.pop(origin, None)
        return verdict

    async def _ask(self, origin: str) -> _Verdict:
        request = Request(
            f"{origin}/robots.txt", accept="text/plain,*/*;q=0.5", max_size=ACCEPTED_BYTES, allow_empty=True
        )
        try:
            download = await self._fetcher.fetch(request)
        except HTTPStatus as error:
            if 400 <= error.status < 500:
                return _Verdict(self._clock() + _FRESH)
            return _Verdict(self._clock() + _FRESH_FAILURE, failure=error)
        except FetchError as error:
            return _Verdict(self._clock() + _FRESH_FAILURE, failure=error)
        return _Verdict(self._clock() + _FRESH, rules=_rules(download))

    def _remember(self, origin: str, verdict: _Verdict) -> None:
        if len(self._known) >= _MOST_ORIGINS:
            self._known.pop(next(iter(self._known)))
        self._known[origin] = verdict


class Obedient:
    """Asks `Robots` before a fetcher is asked. Outside politeness: who waits for a robots.txt keeps no slot."""

    def __init__(self, fetcher: Fetcher, robots: Robots, guard: Guard) -> None:
        self._fetcher = fetcher
        self._robots = robots
        self._guard = guard

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL that its origin leaves open to us."""
        await self._robots.require(parse_target(request.url, self._guard))
        return await self._fetcher.fetch(request)


def _rules(download: Download) -> Protego:
    body = download.body
    data = b"" if body is None else body.data if body.data is not None else body.prefix
    discard(body)
    return Protego.parse(data[:MAX_BYTES].decode("utf-8-sig", "replace"))


def _again(failure: FetchError, target: Target) -> FetchError:
    """A fresh error for each URL that meets an origin's remembered failure; not worth a retry so soon."""
    if isinstance(failure, HTTPStatus):
        return RobotsRefused(
            f"{redact_url(target.href)} was not asked for: {target.origin}/robots.txt answered {failure.status}, "
            "and until it can be read nothing may be fetched there."
        )
    error = type(failure)(failure.message)
    error.retryable = False
    return error
