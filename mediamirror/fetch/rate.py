"""Rates of bytes: the least we accept of one download, and the most we take of all together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class RateWatch:
    """Says when a download has been slower than ``min_rate`` bytes a second over a whole window of seconds.

    Pure: the caller brings the time.
    """

    __slots__ = ("_least", "_seen", "_start", "_window")

    def __init__(self, min_rate: int, window: float, now: float) -> None:
        self._least = min_rate * window
        self._window = window
        self._start = now
        self._seen = 0

    def too_slow(self, size: int, now: float) -> bool:
        """Count bytes that have just arrived; True when the window that ends here held too few."""
        self._seen += size
        if now - self._start < self._window:
            return False
        slow = self._seen < self._least * (now - self._start) / self._window
        self._start, self._seen = now, 0
        return slow

    def pause(self, seconds: float) -> None:
        """Leave out a wait that was ours, not the origin's."""
        self._start += seconds


class Bucket:
    """``--limit-rate``: bytes a second over all downloads that share it.

    Waits are handed out in order of asking; after an idle time at most one ``burst`` of seconds passes unthrottled.
    """

    def __init__(
        self,
        rate: int,
        *,
        burst: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    async def take(self, size: int) -> float:
        """Wait until ``size`` bytes fit the rate; return the seconds of the wait."""
        now = self._clock()
        self._free_at = max(self._free_at, now - self._burst) + size / self._rate
        wait = self._free_at - now
        if wait <= 0:
            return 0.0
        await self._sleep(wait)
        return wait
