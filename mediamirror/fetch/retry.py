"""Bounded retries around a fetcher."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random

from mediamirror.errors import FetchError, HTTPStatus
from mediamirror.fetch.hosts import host_of, jitter
from mediamirror.fetch.politeness import waiting
from mediamirror.fetch.request import Fetcher, Request
from mediamirror.model import Download
from mediamirror.settings import FetchOptions

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
