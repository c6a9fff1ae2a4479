"""Bounded retries around a fetcher."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random

from mediamirror.errors import FetchError, HTTPStatus
from mediamirror.fetch.request import Fetcher, Request
from mediamirror.model import Download
from mediamirror.settings import FetchOptions

BASE = 0.5
LONGEST = 30.0


def delay(attempt: int, random: Random, *, retry_after: float | None = None) -> float:
    """Seconds to wait before the next try; ``attempt`` counts the failures so far, from 1.

    Exponential with full jitter: uniform between 0 and 0.5 s doubled with every failure, at most 30 s. An origin that said
    how long to wait is given that time and up to a tenth more, so that not everyone is back in the same instant.
    """
    jitter = random.uniform(0.0, min(LONGEST, BASE * 2.0 ** min(attempt - 1, 16)))
    if retry_after is None:
        return jitter
    return retry_after + min(jitter, retry_after / 10)


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


class Retrying:
    """Tries again what may succeed later, after `next_wait`. Raises the last error."""

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

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL, in at most ``options.retries`` further tries."""
        started = self._clock()
        attempt = 0
        while True:
            try:
                return await self._fetcher.fetch(request)
            except FetchError as error:
                attempt += 1
                wait = next_wait(error, attempt, self._clock() - started, self._options, self._random)
                if wait is None:
                    raise
            await self._sleep(wait)
